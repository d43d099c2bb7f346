/** The brushed rectangle as four numbers, for keyboards and for exact ends. */

import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { ordered, type Range, type View } from "./filter";

interface Props {
  view: View;
  onChange: (changes: Partial<View>) => void;
}

export function Ranges({ view, onChange }: Props) {
  return (
    <div class="ranges">
      <Ends name="β" ends={view.beta} onChange={(beta) => onChange({ beta })} />
      <Ends name="y" ends={view.y} onChange={(y) => onChange({ y })} />
      <button type="button" disabled={!view.beta && !view.y} onClick={() => onChange({ beta: null, y: null })}>
        Clear
      </button>
    </div>
  );
}

function Ends({ name, ends, onChange }: { name: string; ends: Range | null; onChange: (ends: Range | null) => void }) {
  const [texts, setTexts] = useState(() => shown(ends));
  // What was typed, also before it is drawn.
  const typed = useRef(texts);
  const show = (next: string[]) => {
    typed.current = next;
    setTexts(next);
  };
  // At once, so that nothing is typed before and lost.
  useLayoutEffect(() => show(shown(ends)), [ends]);
  const apply = (place: number, text: string) => {
    const [low = "", high = ""] = typed.current.with(place, text);
    show([low, high]);
    if (low === "" && high === "") onChange(null);
    // One end alone is no range yet.
    if (low !== "" && high !== "") onChange(ordered(Number(low), Number(high)));
  };
  const input = (end: "from" | "to", value: string, change: (text: string) => void) => (
    <input
      type="number"
      step="any"
      aria-label={`${name} ${end}`}
      placeholder={end}
      value={value}
      onChange={(event) => change(event.currentTarget.value)}
    />
  );
  const [low = "", high = ""] = texts;
  return (
    <div class="ends">
      <span aria-hidden="true">{name}</span>
      {input("from", low, (text) => apply(0, text))}
      {input("to", high, (text) => apply(1, text))}
    </div>
  );
}

function shown(ends: Range | null): string[] {
  return ends ? ends.map(String) : ["", ""];
}
