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
  const type = (place: number, text: string) => show(typed.current.with(place, text));
  const apply = (place: number, text: string) => {
    type(place, text);
    const [low = "", high = ""] = typed.current;
    if (low === "" && high === "") onChange(null);
    // One end alone is no range yet.
    if (low !== "" && high !== "") onChange(ordered(Number(low), Number(high)));
  };
  const input = (place: number, end: "from" | "to", value: string) => (
    <input
      type="number"
      step="any"
      aria-label={`${name} ${end}`}
      placeholder={end}
      value={value}
      // Kept as it is typed: the page is drawn anew meanwhile.
      onInput={(event) => type(place, event.currentTarget.value)}
      onChange={(event) => apply(place, event.currentTarget.value)}
    />
  );
  const [low = "", high = ""] = texts;
  return (
    <div class="ends">
      <span aria-hidden="true">{name}</span>
      {input(0, "from", low)}
      {input(1, "to", high)}
    </div>
  );
}

function shown(ends: Range | null): string[] {
  return ends ? ends.map(String) : ["", ""];
}
