/** The distinct x, the best first: sorted, searched and turned in pages by the server. */

import { useEffect, useRef, useState } from "preact/hooks";
import { address } from "./api";
import { isFiltered } from "./filter";
import { clock, column, count } from "./format";
import { useAnswer, useOnScreen } from "./hooks";
import type { Page } from "./page";
import { Panel, Scroll, Shown } from "./panel";
import type { Best, Top as Rows } from "./types";

const SIZE = 15;
/** Letters typed within this time are one question [ms]. */
const TYPING = 300;

type Sort = "y" | "x" | "seen" | "first";
type Order = "asc" | "desc";

export function Top({ page }: { page: Page }) {
  const [[sort, order], setSort] = useState<[Sort, Order]>(["y", "desc"]);
  const [typed, setTyped] = useState("");
  const [contains, setContains] = useState("");
  const [offset, setOffset] = useState(0);
  const [box, isOn] = useOnScreen<HTMLElement>();
  const { run } = page.view;
  useEffect(() => setOffset(0), [run, page.where, sort, order, contains]);
  useEffect(() => {
    const timer = setTimeout(() => setContains(typed.trim()), TYPING);
    return () => clearTimeout(timer);
  }, [typed]);
  const url = address("top", { run, where: page.where, sort, order, contains, offset, count: SIZE });
  const known = useAnswer<Rows>(url, page.tick, isOn);
  // The rows of the page before stay until those of the next are there, and so do their numbers.
  const shown = useRef(offset);
  if (!known.isOld) shown.current = offset;
  const total = known.answer?.total ?? 0;
  return (
    <Panel
      id="top"
      title="Best x"
      note={known.answer ? `${count(total)} distinct x${contains ? ` with ${contains}` : ""}` : null}
      class="wide"
      boxRef={box}
      controls={
        <label class="search">
          <span class="unseen">Only x that contain</span>
          <input
            type="search"
            placeholder="x contains…"
            value={typed}
            onInput={(event) => setTyped(event.currentTarget.value)}
          />
        </label>
      }
    >
      <Shown
        known={known}
        height={SIZE * 33 + 34}
        isEmpty={(answer) => answer.total === 0 && !contains}
        isFiltered={isFiltered(page.view)}
        onClear={page.clear}
      >
        {(answer) => (
          <Table {...{ page, answer, sort, order }} offset={shown.current} onSort={(by, way) => setSort([by, way])} />
        )}
      </Shown>
      <Pages offset={offset} total={total} onTurn={setOffset} />
    </Panel>
  );
}

interface TableProps {
  page: Page;
  answer: Rows;
  sort: Sort;
  order: Order;
  offset: number;
  onSort: (sort: Sort, order: Order) => void;
}

const HEADS: [Sort | null, string, boolean][] = [
  [null, "rank", true],
  ["x", "x", false],
  ["y", "y", true],
  [null, "log R", true],
  ["seen", "seen", true],
  [null, "at β", true],
  [null, "round", true],
  [null, "actor", false],
  ["first", "first seen", true],
];

function Table({ page, answer, sort, order, offset, onSort }: TableProps) {
  const ys = column(answer.rows.map((best) => best.y));
  const logRewards = column(answer.rows.map((best) => best.log_reward));
  const ids = answer.rows.map(({ first }) => `${first.incarnation}:${first.seq}`);
  return (
    <Scroll label="table of the best x">
      <table class="rows">
        <caption class="unseen">Distinct x with how each was first found. A row opens that trajectory.</caption>
        <thead>
          <tr>
            {HEADS.map(([key, name, isNumber]) => (
              <Head key={name} {...{ sort: key, name, isNumber, onSort }} now={key === sort ? order : null} />
            ))}
          </tr>
        </thead>
        <tbody>
          {answer.rows.map((best, n) => (
            <Row
              key={best.object_id}
              {...{ best, y: ys[n], logReward: logRewards[n], rank: offset + n + 1 }}
              onOpen={() => page.open(ids[n] as string, ids)}
            />
          ))}
        </tbody>
      </table>
      {answer.rows.length === 0 && <p class="nothing">No x contains this.</p>}
    </Scroll>
  );
}

interface HeadProps {
  sort: Sort | null;
  name: string;
  isNumber: boolean;
  now: Order | null;
  onSort: (sort: Sort, order: Order) => void;
}

function Head({ sort, name, isNumber, now, onSort }: HeadProps) {
  const kind = isNumber ? "num" : "";
  if (!sort) return <th class={kind}>{name}</th>;
  const first: Order = sort === "x" || sort === "first" ? "asc" : "desc";
  const other: Order = now === "asc" ? "desc" : "asc";
  return (
    <th class={kind} aria-sort={now === null ? "none" : now === "asc" ? "ascending" : "descending"}>
      <button type="button" class="sort" onClick={() => onSort(sort, now ? other : first)}>
        {name}
        <span aria-hidden="true">{now === null ? "↕" : now === "asc" ? "↑" : "↓"}</span>
      </button>
    </th>
  );
}

interface RowProps {
  best: Best;
  y: string | undefined;
  logReward: string | undefined;
  rank: number;
  onOpen: () => void;
}

function Row({ best, y, logReward, rank, onOpen }: RowProps) {
  const { first } = best;
  return (
    // The button in the row is for keyboards; the whole row is a larger place to click.
    <tr onClick={onOpen}>
      <td class="muted">{count(rank)}</td>
      <th scope="row">
        <button type="button" class="link mono" title={best.x}>
          {best.x}
        </button>
      </th>
      <td>{y}</td>
      <td>{logReward}</td>
      <td>{count(best.seen)}</td>
      <td>{first.beta.toFixed(3)}</td>
      <td>{count(first.round)}</td>
      <td class="left">{first.actor}</td>
      <td>{clock(first.received_us)}</td>
    </tr>
  );
}

function Pages({ offset, total, onTurn }: { offset: number; total: number; onTurn: (offset: number) => void }) {
  const last = Math.max(0, Math.ceil(total / SIZE) - 1) * SIZE;
  const turn = (name: string, sign: string, to: number, isOff: boolean) => (
    <button type="button" aria-label={name} disabled={isOff} onClick={() => onTurn(to)}>
      {sign}
    </button>
  );
  return (
    <nav class="pages" aria-label="pages of the table">
      {turn("first page", "«", 0, offset === 0)}
      {turn("previous page", "‹", Math.max(0, offset - SIZE), offset === 0)}
      <span>
        {total === 0 ? "0" : `${count(offset + 1)}–${count(Math.min(total, offset + SIZE))}`} of {count(total)}
      </span>
      {turn("next page", "›", offset + SIZE, offset >= last)}
      {turn("last page", "»", last, offset >= last)}
    </nav>
  );
}
