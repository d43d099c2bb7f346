/** A panel: a heading, controls, what it shows; and what it shows while there is nothing to show. */

import type { ComponentChildren } from "preact";
import { polyline } from "./format";
import type { Known } from "./hooks";

interface Props {
  id: string;
  title: string;
  /** A line under the heading: what is shown, and of how many. */
  note?: ComponentChildren;
  controls?: ComponentChildren;
  class?: string;
  boxRef?: { current: HTMLElement | null };
  children: ComponentChildren;
}

export function Panel({ id, title, note, controls, class: name = "", boxRef, children }: Props) {
  return (
    <section id={id} class={`panel ${name}`} aria-labelledby={`${id}-title`} ref={boxRef}>
      <header class="panel-head">
        <div>
          <h2 id={`${id}-title`}>{title}</h2>
          <p class="note">{note ?? "\u00a0"}</p>
        </div>
        {controls && <div class="controls">{controls}</div>}
      </header>
      {children}
    </section>
  );
}

interface ShownProps<T> {
  known: Known<T>;
  /** Space that is kept while there is nothing [px]. */
  height: number;
  isEmpty: (answer: T) => boolean;
  isFiltered: boolean;
  onClear: () => void;
  children: (answer: T) => ComponentChildren;
}

/** Shows an answer, or says why there is none. */
export function Shown<T>({ known, height, isEmpty, isFiltered, onClear, children }: ShownProps<T>) {
  const { answer, error, read, total, isOld } = known;
  const style = { minHeight: `${height}px` };
  return (
    <div class={`shown ${isOld ? "is-old" : ""}`} style={style} aria-busy={isOld || read < total}>
      {read < total && <Progress read={read} total={total} />}
      {error && (
        <p class="error" role="alert">
          {error}
        </p>
      )}
      {!answer && !error && <div class="placeholder" style={style} role="status" aria-label="loading" />}
      {answer && (isEmpty(answer) ? <Nothing isFiltered={isFiltered} onClear={onClear} /> : children(answer))}
    </div>
  );
}

function Progress({ read, total }: { read: number; total: number }) {
  return <progress class="progress" value={read} max={total} aria-label="trajectories looked at" />;
}

function Nothing({ isFiltered, onClear }: { isFiltered: boolean; onClear: () => void }) {
  return (
    <div class="nothing">
      <p>{isFiltered ? "No trajectory passes the filter." : "No trajectories yet."}</p>
      {isFiltered && (
        <button type="button" onClick={onClear}>
          Clear the filter
        </button>
      )}
    </div>
  );
}

/** A choice between a few things, side by side. */
export function Choice<T extends string>(props: {
  label: string;
  options: readonly (readonly [T, string])[];
  value: T;
  onChange: (value: T) => void;
}) {
  return (
    <fieldset class="choice">
      <legend class="unseen">{props.label}</legend>
      {props.options.map(([value, name]) => (
        <button type="button" key={value} aria-pressed={value === props.value} onClick={() => props.onChange(value)}>
          {name}
        </button>
      ))}
    </fieldset>
  );
}

/** A labelled list to choose from. */
export function Select(props: {
  label: string;
  options: readonly (readonly [string, string])[];
  value: string;
  onChange: (value: string) => void;
}) {
  return (
    <label class="select">
      <span>{props.label}</span>
      <select value={props.value} onChange={(event) => props.onChange(event.currentTarget.value)}>
        {props.options.map(([value, name]) => (
          <option key={value} value={value}>
            {name}
          </option>
        ))}
      </select>
    </label>
  );
}

/** A small curve without axes, from 0 up. */
export function Sparkline({ values, label }: { values: readonly number[]; label: string }) {
  const corners = polyline(values, 96, 20);
  return (
    <svg class="sparkline" viewBox="0 -2 96 24" role="img" aria-label={label} preserveAspectRatio="none">
      <polygon points={`0,20 ${corners} 96,20`} />
      <polyline points={corners} />
    </svg>
  );
}

/** A box that scrolls sideways by itself, also by keyboard. */
export function Scroll(props: {
  label: string;
  class?: string;
  boxRef?: { current: HTMLElement | null };
  children: ComponentChildren;
}) {
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: what scrolls must be reachable by keyboard
    <section class={`scroll ${props.class ?? ""}`} ref={props.boxRef} tabIndex={0} aria-label={props.label}>
      {props.children}
    </section>
  );
}
