/** Several runs side by side. */

import { useMemo, useState } from "preact/hooks";
import { address } from "./api";
import { axis, base, Chart, type Colours, type Option, tip, useColours } from "./chart";
import { isFiltered } from "./filter";
import { count, duration, number, percent } from "./format";
import { useAnswer, useOnScreen } from "./hooks";
import type { Page } from "./page";
import { Choice, Panel, Scroll, Select, Shown } from "./panel";
import { at, OVER, type Over, overAxis, place } from "./timeline";
import type { Compared, Part } from "./types";

type What = "modes" | "top100_y" | "distinct";

const WHAT = [
  ["modes", "modes found"],
  ["top100_y", "mean y of the best 100"],
  ["distinct", "distinct x"],
] as const;

export function Compare({ page }: { page: Page }) {
  const [chosen, setWhat] = useState<What | null>(null);
  const [over, setOver] = useState<Over>("trajectories");
  const [box, isOn] = useOnScreen<HTMLElement>();
  const known = useAnswer<Compared[]>(address("compare", { where: page.where }), page.tick, isOn);
  const hasModes = known.answer?.some((run) => run.timeline.has_modes) ?? true;
  const what = chosen ?? (hasModes ? "modes" : "top100_y");
  return (
    <Panel
      id="compare"
      title="Runs side by side"
      note="each with the same filter"
      class="wide"
      boxRef={box}
      controls={
        <>
          <Select label="show" options={WHAT} value={what} onChange={(value) => setWhat(value as What)} />
          <Choice label="Axis of the chart of runs" options={OVER} value={over} onChange={setOver} />
        </>
      }
    >
      <Shown
        known={known}
        height={560}
        isEmpty={(answer) => answer.every((run) => run.summary.trajectories === 0)}
        isFiltered={isFiltered(page.view)}
        onClear={page.clear}
      >
        {(answer) => (
          <>
            <Drawn runs={answer} what={what} over={over} />
            <Table runs={answer} />
          </>
        )}
      </Shown>
    </Panel>
  );
}

/** Lines beyond the colours there are differ in their dashes. */
const DASHES = ["solid", "dashed", "dotted"];

function look(n: number, colours: Colours): { color: string; type: string } {
  const kinds = colours.kinds;
  return { color: kinds[n % kinds.length] ?? colours.ink, type: DASHES[Math.floor(n / kinds.length) % 3] ?? "solid" };
}

function Drawn({ runs, what, over }: { runs: Compared[]; what: What; over: Over }) {
  const colours = useColours();
  const option = useMemo(() => drawn(runs, what, over, colours), [runs, what, over, colours.ink]);
  const ends = runs.map((run) => `${run.name} ${number(run.timeline.parts.at(-1)?.[what])}`);
  const name = WHAT.find(([key]) => key === what)?.[1] ?? what;
  return <Chart option={option} height={300} label={`${name} of each run. At the end: ${ends.join(", ")}.`} />;
}

function drawn(runs: Compared[], what: What, over: Over, colours: Colours): Option {
  interface Hovered {
    seriesName: string;
    color: string;
    value: [number, number];
    axisValue: number;
  }
  return {
    ...base(colours),
    grid: { left: 8, right: 20, top: 38, bottom: 8, containLabel: true },
    legend: {
      top: 4,
      left: 8,
      type: "plain",
      icon: "roundRect",
      itemWidth: 14,
      itemHeight: 3,
      textStyle: { color: colours.ink },
    },
    xAxis: overAxis(colours, over),
    yAxis: axis(colours, what === "top100_y" ? {} : { min: 0 }),
    tooltip: {
      ...(base(colours).tooltip as Option),
      formatter: (rows: Hovered[]) =>
        rows[0]
          ? tip(
              place(rows[0].axisValue, over),
              rows.map((row) => [row.color, row.seriesName, number(row.value[1])]),
            )
          : "",
    },
    series: runs.map((run, n) => ({
      type: "line",
      name: run.name,
      showSymbol: run.timeline.parts.length === 1,
      data: run.timeline.parts.map((part: Part) => [at(part, over), part[what]]),
      lineStyle: { width: 2, ...look(n, colours) },
      itemStyle: { color: look(n, colours).color },
    })),
  };
}

const FACTS: [string, (run: Compared) => string][] = [
  ["task", ({ summary }) => summary.task ?? "–"],
  ["trajectories", ({ summary }) => count(summary.trajectories)],
  ["distinct x", ({ summary }) => count(summary.distinct)],
  ["duplicates", ({ summary }) => percent(summary.duplicates)],
  ["modes found", ({ summary: { modes } }) => (modes ? `${count(modes.found)} of ${count(modes.known)}` : "–")],
  ["best y", (run) => number(run.best_y)],
  ["mean y of the best 100", (run) => number(run.top100_y)],
  ["time", ({ summary: { span } }) => (span ? duration((span.last_us - span.first_us) / 1e6) : "–")],
  ["trajectories per s", ({ summary: { span } }) => number(span?.per_second)],
  ["actors", ({ summary }) => count(summary.actors.length)],
  ["staleness, median", ({ summary }) => number(summary.staleness?.p50)],
  ["too stale to train on", ({ summary }) => percent(summary.too_stale)],
];

function Table({ runs }: { runs: Compared[] }) {
  return (
    <Scroll label="table of runs" class="compact">
      <table>
        <thead>
          <tr>
            <td />
            {runs.map((run) => (
              <th class="num" scope="col" key={run.name}>
                {run.name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {FACTS.map(([name, of]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              {runs.map((run) => (
                <td key={run.name}>{of(run)}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
