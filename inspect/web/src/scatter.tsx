/** β against y: a sample of the trajectories, and a rectangle over it that filters all other panels. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { address } from "./api";
import { axis, base, Chart, type Colours, type EChartsType, escapeHtml, type Option, useColours } from "./chart";
import { brushWhere, isFiltered, ordered, type Range, roundOut, type View } from "./filter";
import { count, number } from "./format";
import { useAnswer, useOnScreen } from "./hooks";
import type { Page } from "./page";
import { Panel, Shown } from "./panel";
import { Ranges } from "./ranges";
import type { Points, Scatter as Sample } from "./types";

const HEIGHT = 400;
/** The second of the two series. */
const INSIDE = 1;

export function Scatter({ page }: { page: Page }) {
  const [box, isOn] = useOnScreen<HTMLElement>();
  // The brush itself is left out: what is outside stays in sight, dimmed.
  const known = useAnswer<Sample>(address("scatter", { run: page.view.run, where: page.view.text }), page.tick, isOn);
  const drawn = known.answer?.points.id.length ?? 0;
  const all = known.answer?.count ?? 0;
  const which = drawn < all ? `${count(drawn)} of ${count(all)} drawn at random` : `all ${count(all)}`;
  const note = `${which} · drag over them to filter, click one to open it`;
  return (
    <Panel id="scatter" title="β and y" note={all > 0 ? note : null} boxRef={box}>
      <Shown
        known={known}
        height={HEIGHT}
        isEmpty={(answer) => answer.count === 0}
        isFiltered={isFiltered(page.view)}
        onClear={page.clear}
      >
        {(answer) => <Drawn page={page} points={answer.points} />}
      </Shown>
      <Ranges view={page.view} onChange={page.go} />
    </Panel>
  );
}

/** A place in the chart for each point, by its number: β, y, number. */
interface Sides {
  outside: [number, number, number][];
  inside: [number, number, number][];
}

function sides(points: Points, view: View): Sides {
  const found: Sides = { outside: [], inside: [] };
  for (let n = 0; n < points.id.length; n++) {
    const [beta, y] = [points.beta[n] as number, points.y[n] as number];
    (isInside(view, beta, y) ? found.inside : found.outside).push([beta, y, n]);
  }
  return found;
}

function isInside(view: View, beta: number, y: number): boolean {
  const within = (value: number, ends: Range | null) => !ends || (value >= ends[0] && value <= ends[1]);
  return within(beta, view.beta) && within(y, view.y);
}

function Drawn({ page, points }: { page: Page; points: Points }) {
  const colours = useColours();
  const { view } = page;
  const { beta, y } = view;
  const split = useMemo(() => sides(points, view), [points, beta, y]);
  const option = useMemo(() => drawn(points, split, view, colours), [split, colours.ink]);
  const chart = useRef<EChartsType | null>(null);
  const latest = useRef({ page, points });
  latest.current = { page, points };
  const ready = (made: EChartsType) => {
    chart.current = made;
    made.on("click", (event) => {
      const place = (event.value as unknown[])?.[2];
      const id = typeof place === "number" && latest.current.points.id[place];
      if (id) latest.current.page.open(id);
    });
    made.on("brushEnd", (event) => {
      const brushed = toRanges(event as unknown as BrushEnd, made);
      if (!brushed) return;
      made.dispatchAction({ type: "brush", areas: [] });
      latest.current.page.go(brushed);
    });
  };
  useEffect(() => {
    const brush = { brushType: "rect", brushMode: "single" };
    chart.current?.dispatchAction({ type: "takeGlobalCursor", key: "brush", brushOption: brush });
  }, [option]);
  return (
    <Walk {...{ page, points, chart }} inside={split.inside}>
      <Chart
        option={option}
        height={HEIGHT}
        onReady={ready}
        class="brushed"
        label="Scatter of y against β. Drag over it to filter."
      />
    </Walk>
  );
}

interface BrushEnd {
  areas: { coordRange?: [Range, Range] }[];
}

/** What was brushed; null for a click, which brushes nothing. */
function toRanges({ areas }: BrushEnd, chart: EChartsType): Pick<View, "beta" | "y"> | null {
  const ends = areas[0]?.coordRange;
  if (!ends) return null;
  const shown = (dimension: 0 | 1) => {
    const finder = dimension === 0 ? { xAxisIndex: 0 } : { yAxisIndex: 0 };
    const pixel = (n: number) => Number(chart.convertFromPixel(finder, n));
    return Math.abs(pixel(HEIGHT) - pixel(0));
  };
  const beta = ordered(...ends[0]);
  const y = ordered(...ends[1]);
  return beta && y && { beta: roundOut(beta, shown(0)), y: roundOut(y, shown(1)) };
}

function drawn(points: Points, { outside, inside }: Sides, view: View, colours: Colours): Option {
  const series = (name: string, data: unknown[], color: string, opacity: number) => ({
    type: "scatter",
    name,
    data,
    symbolSize: 5,
    // All at once: a part that is drawn later may find its chart gone.
    progressive: 0,
    itemStyle: { color, opacity },
    emphasis: { scale: 2, itemStyle: { opacity: 1, borderColor: colours.ink, borderWidth: 1 } },
  });
  const hovered = ({ value }: { value: [number, number, number] }) =>
    `<b style="font-family:ui-monospace,monospace">${escapeHtml(points.x[value[2]] ?? "")}</b><br>y ${number(value[1])}, β ${number(value[0])}<br><small>click to open</small>`;
  return {
    ...base(colours),
    grid: { left: 26, right: 16, top: 12, bottom: 26, containLabel: true },
    xAxis: axis(colours, { name: "β", nameLocation: "middle", nameGap: 28 }),
    yAxis: axis(colours, { name: "y", nameLocation: "middle", nameGap: 38 }),
    tooltip: { ...(base(colours).tooltip as Option), trigger: "item", formatter: hovered },
    brush: {
      xAxisIndex: 0,
      yAxisIndex: 0,
      transformable: false,
      brushStyle: { color: colours.accent, opacity: 0.2 },
      // What is inside and outside is drawn by the two series.
      seriesIndex: [],
    },
    series: [
      series("outside", outside, colours.muted, 0.25),
      {
        ...series("inside", inside, colours.accent, 0.55),
        ...(brushWhere(view) ? { markArea: selected(view, colours) } : {}),
      },
    ],
  };
}

/** The rectangle that filters. */
function selected({ beta, y }: View, colours: Colours): Option {
  const corner = (n: 0 | 1) => ({ ...(beta && { xAxis: beta[n] }), ...(y && { yAxis: y[n] }) });
  return {
    silent: true,
    itemStyle: { color: "transparent", borderColor: colours.warm, borderWidth: 1.5 },
    data: [[corner(0), corner(1)]],
  };
}

interface WalkProps {
  page: Page;
  points: Points;
  inside: Sides["inside"];
  chart: { current: EChartsType | null };
  children: preact.ComponentChildren;
}

/** Walks with the arrow keys through the points inside: left and right by β, up and down by y. */
function Walk({ page, points, inside, chart, children }: WalkProps) {
  const [id, setId] = useState<string | null>(null);
  const orders = useMemo(() => {
    const by = (dimension: 0 | 1) => inside.toSorted((a, b) => a[dimension] - b[dimension]).map((point) => point[2]);
    return { beta: by(0), y: by(1) };
  }, [inside]);
  const at = id === null ? -1 : points.id.indexOf(id);
  const show = (n: number) => {
    setId(points.id[n] ?? null);
    const dataIndex = inside.findIndex((point) => point[2] === n);
    chart.current?.dispatchAction({ type: "downplay" });
    for (const type of ["highlight", "showTip"])
      chart.current?.dispatchAction({ type, seriesIndex: INSIDE, dataIndex });
  };
  const step = (order: number[], by: number) => {
    const place = order.indexOf(at);
    const start = by > 0 ? 0 : order.length - 1;
    const next = order[place < 0 ? start : Math.min(order.length - 1, Math.max(0, place + by))];
    if (next !== undefined) show(next);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const moves: Record<string, () => void> = {
      ArrowLeft: () => step(orders.beta, -1),
      ArrowRight: () => step(orders.beta, 1),
      ArrowDown: () => step(orders.y, -1),
      ArrowUp: () => step(orders.y, 1),
      Enter: () => id !== null && page.open(id),
    };
    const move = moves[event.key];
    if (!move || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    move();
  };
  const words = at < 0 ? "" : `${points.x[at]}, y ${number(points.y[at])}, β ${number(points.beta[at])}`;
  return (
    <div
      class="walk"
      role="application"
      // biome-ignore lint/a11y/noNoninteractiveTabindex: it takes the arrow keys
      tabIndex={0}
      onKeyDown={onKeyDown}
      aria-label="Points of the scatter: arrow keys walk from point to point, Enter opens a trajectory"
    >
      {children}
      <span class="unseen" aria-live="polite">
        {words}
      </span>
    </div>
  );
}
