/** How a quantity is distributed: small histograms under each other on one axis, so that shapes can be compared. */

import { useMemo, useState } from "preact/hooks";
import { address } from "./api";
import { axis, base, Chart, type Colours, type Option, tip, useColours } from "./chart";
import { isFiltered } from "./filter";
import { count, number } from "./format";
import { useAnswer, useOnScreen } from "./hooks";
import type { Page } from "./page";
import { Panel, Select, Shown } from "./panel";
import type { Histogram as Counts, Group } from "./types";

const OF = [
  ["y", "y"],
  ["log_reward", "log R"],
  ["log_pf", "log P_F"],
  ["beta", "β"],
  ["staleness", "staleness"],
  ["length", "length"],
] as const;

const UNITS: Record<string, string> = { log_reward: "nats", log_pf: "nats", staleness: "versions", length: "steps" };

/** A quantity with its unit. */
function named(of: string): string {
  const name = OF.find(([key]) => key === of)?.[1] ?? of;
  return UNITS[of] ? `${name} (${UNITS[of]})` : name;
}

const BY = [
  ["", "all together"],
  ["beta", "β"],
  ["actor", "actor"],
  ["version", "policy version"],
] as const;

/** Groups that are drawn; of more, the first ones. */
const DRAWN = 10;
/** As high as the scatter beside it. */
const HEIGHT = 444;

export function Histogram({ page }: { page: Page }) {
  const [of, setOf] = useState("y");
  const [by, setBy] = useState("beta");
  const [box, isOn] = useOnScreen<HTMLElement>();
  const url = address("histogram", { run: page.view.run, where: page.where, of, by, bins: 40 });
  const known = useAnswer<Counts>(url, page.tick, isOn);
  const groups = known.answer?.groups.length ?? 0;
  const note =
    groups > DRAWN
      ? `the first ${DRAWN} of ${groups} groups, each to its own height`
      : "each to its own height; tick: median";
  return (
    <Panel
      id="histogram"
      title="Distribution"
      note={by ? note : "all trajectories; tick: median"}
      boxRef={box}
      controls={
        <>
          <Select label="of" options={OF} value={of} onChange={setOf} />
          <Select label="by" options={BY} value={by} onChange={setBy} />
        </>
      }
    >
      <Shown
        known={known}
        height={HEIGHT}
        isEmpty={(answer) => answer.groups.length === 0}
        isFiltered={isFiltered(page.view)}
        onClear={page.clear}
      >
        {(answer) => <Drawn histogram={answer} />}
      </Shown>
    </Panel>
  );
}

function Drawn({ histogram }: { histogram: Counts }) {
  const colours = useColours();
  const groups = histogram.groups.slice(0, DRAWN);
  const option = useMemo(() => drawn(histogram, groups, colours), [histogram, colours.ink]);
  const name = named(histogram.of);
  const medians = groups.map((group) => `${group.name || "all"}: median ${number(group.quantiles.p50)}`);
  return (
    <Chart
      key={`${groups.length} ${histogram.by}`}
      option={option}
      height={HEIGHT}
      label={`Histogram of ${name}. ${medians.join("; ")}.`}
    />
  );
}

function drawn(histogram: Counts, groups: Group[], colours: Colours): Option {
  const { edges } = histogram;
  const bottom = 44;
  const left = histogram.by ? 92 : 52;
  const row = (HEIGHT - bottom) / groups.length;
  const name = named(histogram.of);
  const ends = { min: edges[0], max: edges.at(-1) };
  const isLast = (place: number) => place === groups.length - 1;
  return {
    ...base(colours),
    grid: groups.map((_, place) => ({ left, right: 16, top: place * row + 8, height: row - 10 })),
    xAxis: groups.map((_, place) =>
      axis(colours, {
        gridIndex: place,
        splitNumber: 5,
        ...ends,
        axisLine: { show: true, lineStyle: { color: colours.line } },
        splitLine: { show: false },
        axisLabel: {
          show: isLast(place),
          color: colours.muted,
          fontSize: 11,
          formatter: (value: number) => number(value),
          hideOverlap: true,
        },
        name: isLast(place) ? name : "",
        nameLocation: "middle",
        nameGap: 26,
      }),
    ),
    yAxis: groups.map((group, place) =>
      axis(colours, {
        gridIndex: place,
        min: 0,
        max: Math.max(...group.counts, 1),
        name: histogram.by ? group.name : "",
        nameLocation: "middle",
        nameRotate: 0,
        nameGap: 8,
        nameTextStyle: { color: colours.ink, fontSize: 12, align: "right", width: left - 14, overflow: "truncate" },
        splitLine: { show: false },
        axisLabel: { show: !histogram.by, color: colours.muted, fontSize: 11 },
      }),
    ),
    tooltip: {
      ...(base(colours).tooltip as Option),
      axisPointer: { type: "none" },
      formatter: (rows: Hovered[]) => hovered(rows, histogram, groups, colours),
    },
    series: groups.map((group, place) => series(group, place, edges, colours)),
  };
}

interface Hovered {
  seriesIndex: number;
  dataIndex: number;
}

function hovered(rows: Hovered[], { edges }: Counts, groups: Group[], colours: Colours): string {
  const row = rows[0];
  const group = row && groups[row.seriesIndex];
  if (!group) return "";
  const [low, high] = [edges[row.dataIndex], edges[row.dataIndex + 1]];
  return tip(`${number(low)} to ${number(high)}`, [
    [colours.accent, "here", count(group.counts[row.dataIndex] ?? 0)],
    [colours.accent, group.name ? `of ${group.name}` : "of all", count(group.count)],
    [colours.warm, "median", number(group.quantiles.p50)],
    [colours.muted, "5 % to 95 %", `${number(group.quantiles.p5)} to ${number(group.quantiles.p95)}`],
  ]);
}

interface Api {
  value: (dimension: number) => number;
  coord: (point: [number, number]) => [number, number];
}

/** Bars that touch, from edge to edge of each bin, and a tick at the median. */
function series(group: Group, place: number, edges: number[], colours: Colours): Option {
  return {
    type: "custom",
    xAxisIndex: place,
    yAxisIndex: place,
    data: group.counts.map((counted, bin) => [
      ((edges[bin] ?? 0) + (edges[bin + 1] ?? 0)) / 2,
      counted,
      edges[bin],
      edges[bin + 1],
    ]),
    renderItem: (_: unknown, api: Api) => {
      const [left, top] = api.coord([api.value(2), api.value(1)]);
      const [right, floor] = api.coord([api.value(3), 0]);
      const shape = { x: left + 0.5, y: top, width: Math.max(1, right - left - 1), height: floor - top };
      return { type: "rect", shape, style: { fill: colours.accent, opacity: 0.75 } };
    },
    markLine: {
      silent: true,
      symbol: "none",
      label: { show: false },
      lineStyle: { color: colours.warm, width: 2, type: "solid" },
      data: [{ xAxis: group.quantiles.p50 }],
    },
  };
}
