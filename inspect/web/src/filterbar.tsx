/** What is looked at: the condition in SQL, what is brushed, how many trajectories pass, and the file of them. */

import { useEffect, useState } from "preact/hooks";
import { address, ask } from "./api";
import { isFiltered, type View } from "./filter";
import { count, span } from "./format";
import { type Known, say } from "./hooks";
import { Menu } from "./menu";
import type { Page } from "./page";
import type { Column, Summary } from "./types";

interface Props {
  page: Page;
  summary: Known<Summary>;
  /** Trajectories without a filter. */
  all: number | null;
  /** A condition from the address that the server refused, and why. */
  refused: { text: string; error: string } | null;
}

export function FilterBar({ page, summary, all, refused }: Props) {
  const passing = summary.isOld || !summary.answer ? null : summary.answer.trajectories;
  return (
    <section class="filterbar" aria-label="filter">
      <div class="filter-row">
        <Condition page={page} refused={refused} />
        <Columns columns={page.run.columns} />
        <Download page={page} passing={passing} />
      </div>
      <Chips page={page} passing={passing} all={all} />
    </section>
  );
}

/** The box; what the server refuses is not applied. */
function Condition({ page, refused }: Pick<Props, "page" | "refused">) {
  const { text, run } = page.view;
  const [typed, setTyped] = useState(refused?.text ?? text);
  const [error, setError] = useState(refused?.error ?? null);
  useEffect(() => {
    if (refused) return;
    setTyped(text);
    setError(null);
  }, [text]);
  const apply = async (event: Event) => {
    event.preventDefault();
    const wanted = typed.trim();
    try {
      await ask(address("summary", { run, where: wanted }));
      setError(null);
      page.go({ text: wanted });
    } catch (problem) {
      setError(say(problem));
    }
  };
  return (
    <form class="condition" onSubmit={apply}>
      <label>
        <span class="prefix">where</span>
        <input
          id="where"
          type="text"
          autocomplete="off"
          autocapitalize="off"
          spellcheck={false}
          placeholder="y > 0.9 AND actor = 'actor-0'"
          aria-label="Filter: a condition in SQL"
          aria-describedby={error ? "where-error" : undefined}
          aria-invalid={error !== null}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
        <span class="hint" aria-hidden="true">
          /
        </span>
      </label>
      <button type="submit" class="primary" disabled={typed.trim() === text && !error}>
        Apply
      </button>
      {error && (
        <p id="where-error" class="error" role="alert">
          {error}
        </p>
      )}
    </form>
  );
}

function Columns({ columns }: { columns: Column[] }) {
  return (
    <Menu label="Columns" class="columns">
      <p class="note">
        Compare columns with numbers or <code>'text'</code>, and join with <code>AND</code>, <code>OR</code>,{" "}
        <code>NOT</code>, as in SQL. Also <code>x LIKE '%GAT%'</code>, <code>beta BETWEEN 1 AND 2</code>.
      </p>
      <dl>
        {columns.map(({ name, type, unit, meaning }) => (
          <div key={name}>
            <dt>
              <code>{name}</code> <span class="muted">{unit ?? type.toLowerCase()}</span>
            </dt>
            <dd>{meaning}</dd>
          </div>
        ))}
      </dl>
    </Menu>
  );
}

const FORMATS = [
  ["csv", "CSV", "spreadsheets, pandas"],
  ["parquet", "Parquet", "pandas, DuckDB"],
  ["jsonl", "JSON lines", "one object a line"],
  ["safetensors", "safetensors", "NumPy, PyTorch"],
] as const;

function Download({ page, passing }: { page: Page; passing: number | null }) {
  const { view, where } = page;
  const href = (format: string) => address("export", { run: view.run, where, format });
  return (
    <Menu label="Download" class="download">
      <p class="note">
        {passing === null ? "Counting…" : passing === 1 ? "1 trajectory" : `${count(passing)} trajectories`}
        {isFiltered(view) ? ", those that pass the filter" : ", all there are"}
      </p>
      <ul>
        {FORMATS.map(([format, name, use]) => (
          <li key={format}>
            <a href={href(format)} download>
              <b>{name}</b> <span class="muted">{use}</span>
            </a>
          </li>
        ))}
      </ul>
    </Menu>
  );
}

function Chips({ page, passing, all }: { page: Page; passing: number | null; all: number | null }) {
  const { view, go, clear } = page;
  const chips: [string, Partial<View>][] = [];
  if (view.text) chips.push([view.text, { text: "" }]);
  if (view.beta) chips.push([`β from ${span(view.beta)}`, { beta: null }]);
  if (view.y) chips.push([`y from ${span(view.y)}`, { y: null }]);
  const of = all === null ? "" : ` of ${count(all)}`;
  return (
    <div class="chips">
      <p>
        {chips.length === 0 ? (
          "No filter: all trajectories"
        ) : (
          <>
            <b data-fact="passing">{passing === null ? "…" : count(passing)}</b>
            {of} trajectories pass
          </>
        )}
      </p>
      <ul aria-label="active filters">
        {chips.map(([name, without]) => (
          <li key={name}>
            <button type="button" class="chip" onClick={() => go(without)} title={name} aria-label={`${name}, remove`}>
              <span>{name}</span> <span aria-hidden="true">×</span>
            </button>
          </li>
        ))}
        {chips.length > 1 && (
          <li>
            <button type="button" class="link" onClick={clear}>
              Clear all
            </button>
          </li>
        )}
      </ul>
    </div>
  );
}
