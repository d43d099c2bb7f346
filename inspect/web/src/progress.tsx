/** The run over time: a panel of what was found, and one of losses and whatever else the learner wrote down. */

import { useMemo, useState } from "preact/hooks";
import { address } from "./api";
import { axis, base, Chart, type Colours, type Option, tip, useColours } from "./chart";
import { isFiltered } from "./filter";
import { number } from "./format";
import { useAnswer, useOnce, useOnScreen } from "./hooks";
import type { Page } from "./page";
import { Choice, Panel, Select, Shown } from "./panel";
import { OVER, type Over, overAxis, place, Timeline } from "./timeline";
import type { Timeline as Parts, Losses as Table } from "./types";

export function OverTime({ page, modes }: { page: Page; modes: number | null }) {
  const [over, setOver] = useState<Over>("round");
  const [box, isOn] = useOnScreen<HTMLElement>();
  const known = useAnswer<Parts>(address("timeline", { run: page.view.run, where: page.where }), page.tick, isOn);
  return (
    <Panel
      id="over-time"
      title="Over time"
      note="what had been found by when, in order of commit"
      class="wide"
      boxRef={box}
      controls={<Choice label="Axis of the charts over time" options={OVER} value={over} onChange={setOver} />}
    >
      <Shown
        known={known}
        height={460}
        isEmpty={(answer) => answer.parts.length === 0}
        isFiltered={isFiltered(page.view)}
        onClear={page.clear}
      >
        {(answer) => <Timeline timeline={answer} over={over} known={modes} />}
      </Shown>
    </Panel>
  );
}

const LOSSES = "losses";
const AXES = new Set(["round", "seconds", "trajectories"]);

export function Losses({ page }: { page: Page }) {
  const [over, setOver] = useState<Over>("round");
  const [what, setWhat] = useState(LOSSES);
  const [isLog, setLog] = useState(true);
  const [box, isOn] = useOnScreen<HTMLElement>();
  const tick = useCalm(page.tick);
  const { answer, error } = useOnce<Table>(isOn ? address("losses", { run: page.view.run }) : null, tick);
  const table = useLast(answer);
  const others = table?.columns.filter((name) => !AXES.has(name) && !name.startsWith("loss_")) ?? [];
  const options = [[LOSSES, "losses"] as const, ...others.map((name) => [name, named(name)] as const)];
  const columns = table?.columns.filter((name) => (what === LOSSES ? name.startsWith("loss_") : name === what)) ?? [];
  const overs = OVER.filter(([name]) => table?.columns.includes(name) ?? true);
  return (
    <Panel
      id="losses"
      title="Training"
      note="what the learner wrote down; the filter does not matter here"
      boxRef={box}
      controls={
        <>
          <Select label="show" options={options} value={what} onChange={setWhat} />
          <Choice label="Axis of the chart of losses" options={overs} value={over} onChange={setOver} />
          <label class="check">
            <input type="checkbox" checked={isLog} onChange={(event) => setLog(event.currentTarget.checked)} /> log
            scale
          </label>
        </>
      }
    >
      <div class="shown" style={{ minHeight: "320px" }}>
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        {table && table.rows.length === 0 && <p class="nothing">The learner wrote down no losses for this run.</p>}
        {table && table.rows.length > 0 && <Drawn {...{ table, columns, over, isLog }} />}
      </div>
    </Panel>
  );
}

/** The newest answer, also while the next is asked for. */
function useLast<T>(value: T | null): T | null {
  const [last, setLast] = useState(value);
  if (value !== null && value !== last) setLast(value);
  return value ?? last;
}

/** A tick that stands still for five seconds at a time: losses are written rarely. */
function useCalm(tick: number): number {
  const [calm, setCalm] = useState({ tick, since: 0 });
  if (tick !== calm.tick && performance.now() - calm.since > 5000) setCalm({ tick, since: performance.now() });
  return calm.tick;
}

interface DrawnProps {
  table: Table;
  columns: string[];
  over: Over;
  isLog: boolean;
}

function named(column: string): string {
  return column.replace(/^loss_/, "").replaceAll("_", " ");
}

function Drawn({ table, columns, over, isLog }: DrawnProps) {
  const colours = useColours();
  const option = useMemo(
    () => drawn({ table, columns, over, isLog }, colours),
    [table, columns.join(), over, isLog, colours.ink],
  );
  const last = table.rows.at(-1) ?? [];
  const ends = columns.map((name) => `${named(name)} ${number(last[table.columns.indexOf(name)])}`);
  return <Chart option={option} height={320} label={`Training over ${over}. At the end: ${ends.join(", ")}.`} />;
}

function drawn({ table, columns, over, isLog }: DrawnProps, colours: Colours): Option {
  const x = table.columns.indexOf(over);
  const paint = [colours.accent, colours.warm, ...colours.kinds];
  const series = columns.map((name, n) => {
    const y = table.columns.indexOf(name);
    const isShown = (row: (number | null)[]) => typeof row[y] === "number" && (!isLog || (row[y] as number) > 0);
    return {
      type: "line",
      name: named(name),
      showSymbol: table.rows.length === 1,
      data: table.rows.filter(isShown).map((row) => [row[x], row[y]]),
      lineStyle: { width: 1.5, color: paint[n] },
      itemStyle: { color: paint[n] },
    };
  });
  interface Hovered {
    seriesName: string;
    color: string;
    value: [number, number];
  }
  return {
    ...base(colours),
    grid: { left: 8, right: 16, top: columns.length > 1 ? 34 : 16, bottom: 8, containLabel: true },
    legend: {
      show: columns.length > 1,
      top: 0,
      left: 8,
      icon: "roundRect",
      itemWidth: 14,
      itemHeight: 3,
      textStyle: { color: colours.ink },
    },
    xAxis: overAxis(colours, over),
    yAxis: axis(colours, {
      type: isLog ? "log" : "value",
      axisLabel: { color: colours.muted, fontSize: 11, formatter: (value: number) => number(value) },
    }),
    tooltip: {
      ...(base(colours).tooltip as Option),
      formatter: (rows: Hovered[]) =>
        rows[0]
          ? tip(
              place(rows[0].value[0], over),
              rows.map((row) => [row.color, row.seriesName, number(row.value[1])]),
            )
          : "",
    },
    series,
  };
}
