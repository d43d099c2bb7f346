/** How the run went: what was found by when, and at which β. */

import { useMemo } from "preact/hooks";
import { axis, base, Chart, type Colours, type Option, tip, useColours } from "./chart";
import { count, duration, number } from "./format";
import type { Part, Timeline as Parts, Quantiles } from "./types";

/** What is to the right. */
export type Over = "round" | "seconds" | "trajectories";

export const OVER = [
  ["round", "rounds"],
  ["seconds", "time"],
  ["trajectories", "trajectories"],
] as const;

export function at(part: Part, over: Over): number {
  return over === "trajectories" ? part.trajectories_so_far : part[over];
}

/** A place on that axis, in words. */
export function place(value: number, over: Over): string {
  if (over === "seconds") return duration(value);
  return over === "round" ? `round ${count(value)}` : `${count(value)} trajectories`;
}

export function overAxis(colours: Colours, over: Over): Option {
  const label = (value: number) =>
    over === "seconds" ? duration(value) : value >= 1e6 ? `${number(value / 1e6)} M` : count(value);
  return axis(colours, {
    min: 0,
    max: "dataMax",
    splitLine: { show: false },
    axisLine: { show: true, lineStyle: { color: colours.line } },
    axisLabel: { color: colours.muted, fontSize: 11, hideOverlap: true, formatter: label },
  });
}

interface Line {
  name: string;
  of: (part: Part) => number;
  colour: string;
}

interface Band {
  name: string;
  of: (part: Part) => Quantiles;
  colour: string;
}

interface Plot {
  title: string;
  lines: Line[];
  band?: Band;
  /** A level that cannot be passed. */
  limit?: number;
  min?: number;
}

export function Timeline({ timeline, over, known }: { timeline: Parts; over: Over; known: number | null }) {
  const colours = useColours();
  const { accent, warm } = colours;
  const plots: Plot[] = [
    {
      title: "Distinct x so far",
      lines: [{ name: "distinct x", of: (part) => part.distinct, colour: accent }],
      min: 0,
    },
    {
      title: "y, and the mean of the best 100 distinct x",
      lines: [
        { name: "best 100, mean", of: (part) => part.top100_y, colour: warm },
        { name: "median", of: (part) => part.y.p50, colour: accent },
      ],
      band: { name: "y", of: (part) => part.y, colour: accent },
    },
    {
      title: "β of the trajectories",
      lines: [{ name: "median", of: (part) => part.beta.p50, colour: accent }],
      band: { name: "β", of: (part) => part.beta, colour: accent },
    },
  ];
  if (timeline.has_modes) {
    const modes = { name: "modes", of: (part: Part) => part.modes, colour: accent };
    plots.unshift({ title: "Modes found so far", lines: [modes], limit: known ?? undefined, min: 0 });
  }
  return (
    <div class="plots">
      {plots.map((plot) => (
        <Drawn key={plot.title} plot={plot} parts={timeline.parts} over={over} colours={colours} />
      ))}
    </div>
  );
}

interface DrawnProps {
  plot: Plot;
  parts: Part[];
  over: Over;
  colours: Colours;
}

function Drawn({ plot, parts, over, colours }: DrawnProps) {
  const option = useMemo(() => drawn(plot, parts, over, colours), [parts, over, colours.ink, plot.limit]);
  const last = parts.at(-1);
  const ends = last ? plot.lines.map((line) => `${line.name} ${number(line.of(last))}`).join(", ") : "";
  return (
    <figure>
      <figcaption>
        {plot.title}
        {plot.band && <span class="muted"> · bands 5–95 % and 25–75 %</span>}
        {plot.limit !== undefined && <span class="muted"> · of {count(plot.limit)} known</span>}
      </figcaption>
      <Chart option={option} height={200} label={`${plot.title}, over ${over}. At the end: ${ends}.`} />
    </figure>
  );
}

function drawn(plot: Plot, parts: Part[], over: Over, colours: Colours): Option {
  const x = parts.map((part) => at(part, over));
  const lines = plot.lines.map(({ name, of, colour }) => ({
    type: "line",
    name,
    showSymbol: parts.length === 1,
    data: parts.map((part, n) => [x[n], of(part)]),
    lineStyle: { width: 2, color: colour },
    itemStyle: { color: colour },
    z: 3,
    ...(plot.limit === undefined ? {} : { markLine: limit(plot.limit, colours) }),
  }));
  const bands = plot.band
    ? [...band(plot.band, parts, x, "p5", "p95", 0.14), ...band(plot.band, parts, x, "p25", "p75", 0.2)]
    : [];
  const isOf = (n: number | undefined) => n !== undefined && n <= parts.length - 1;
  return {
    ...base(colours),
    xAxis: overAxis(colours, over),
    yAxis: axis(colours, {
      splitLine: { lineStyle: { color: colours.line }, showMaxLine: plot.limit === undefined },
      min: plot.min,
      max: plot.limit === undefined ? undefined : plot.limit * 1.05,
      axisLabel: { color: colours.muted, fontSize: 11, formatter: short, showMaxLabel: plot.limit === undefined },
    }),
    tooltip: {
      ...(base(colours).tooltip as Option),
      formatter: (rows: { dataIndex: number }[]) => {
        const n = rows[0]?.dataIndex;
        const part = isOf(n) ? parts[n as number] : undefined;
        return part ? described(part, plot, over, colours) : "";
      },
    },
    series: [...bands, ...lines],
  };
}

/** Large numbers in few letters. */
function short(value: number): string {
  return Math.abs(value) >= 1e6 ? `${number(value / 1e6)} M` : number(value);
}

function described(part: Part, plot: Plot, over: Over, colours: Colours): string {
  const rows = plot.lines.map(({ name, of, colour }): [string, string, string] => [colour, name, number(of(part))]);
  if (plot.band) {
    const q = plot.band.of(part);
    rows.push([colours.muted, "25–75 %", `${number(q.p25)} to ${number(q.p75)}`]);
    rows.push([colours.muted, "5–95 %", `${number(q.p5)} to ${number(q.p95)}`]);
  }
  return tip(place(at(part, over), over), rows);
}

function limit(value: number, colours: Colours): Option {
  return {
    silent: true,
    symbol: "none",
    lineStyle: { color: colours.muted, type: "dashed" },
    label: { show: false },
    data: [{ yAxis: value }],
  };
}

/** A band is an unseen line with another stacked on it. */
function band(of: Band, parts: Part[], x: number[], low: "p5" | "p25", high: "p95" | "p75", opacity: number): Option[] {
  const line = (more: Option) => ({
    type: "line",
    stack: low,
    stackStrategy: "all",
    symbol: "none",
    silent: true,
    lineStyle: { opacity: 0 },
    ...more,
  });
  return [
    line({ name: low, data: parts.map((part, n) => [x[n], of.of(part)[low]]) }),
    line({
      name: high,
      data: parts.map((part, n) => [x[n], of.of(part)[high] - of.of(part)[low]]),
      areaStyle: { color: of.colour, opacity },
    }),
  ];
}
