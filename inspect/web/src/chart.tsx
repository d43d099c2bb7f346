/** A chart of ECharts as a component: colours of the theme, size of its box, words for those who do not see it. */

import { CustomChart, LineChart, ScatterChart } from "echarts/charts";
import {
  BrushComponent,
  GridComponent,
  LegendComponent,
  MarkAreaComponent,
  MarkLineComponent,
  TooltipComponent,
} from "echarts/components";
import { type EChartsType, init, use } from "echarts/core";
import { CanvasRenderer } from "echarts/renderers";
import { useEffect, useRef } from "preact/hooks";
import { useMedia } from "./hooks";

use([
  LineChart,
  ScatterChart,
  CustomChart,
  GridComponent,
  TooltipComponent,
  LegendComponent,
  MarkLineComponent,
  MarkAreaComponent,
  BrushComponent,
  CanvasRenderer,
]);

export type { EChartsType };
export type Option = Record<string, unknown>;

/** Colours of style.css, for a canvas. */
export interface Colours {
  ink: string;
  muted: string;
  line: string;
  card: string;
  accent: string;
  warm: string;
  /** For runs and other things without an order; told apart by the colour-blind as well. */
  kinds: string[];
}

/** The colours of now: light or dark. */
export function useColours(): Colours {
  useMedia("(prefers-color-scheme: dark)");
  const style = getComputedStyle(document.documentElement);
  const of = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: of("ink"),
    muted: of("muted"),
    line: of("line"),
    card: of("card"),
    accent: of("accent"),
    warm: of("warm"),
    kinds: [1, 2, 3, 4, 5, 6, 7, 8].map((place) => of(`kind-${place}`)),
  };
}

interface Props {
  option: Option;
  height: number;
  /** What the chart shows, in a sentence. */
  label: string;
  /** Called once with the chart, for its events. */
  onReady?: (chart: EChartsType) => void;
  class?: string;
}

/** Draws without animation: what moves is the data. */
export function Chart({ option, height, label, onReady, class: name }: Props) {
  const box = useRef<HTMLDivElement>(null);
  const chart = useRef<EChartsType | null>(null);
  // A chart is made once.
  useEffect(() => {
    if (!box.current) return;
    const made = init(box.current, null, { renderer: "canvas" });
    chart.current = made;
    onReady?.(made);
    const observer = new ResizeObserver(() => made.resize());
    observer.observe(box.current);
    return () => {
      observer.disconnect();
      made.dispose();
    };
  }, []);
  useEffect(() => {
    chart.current?.setOption({ animation: false, ...option }, { replaceMerge: ["series"] });
  }, [option]);
  return <div ref={box} class={name} role="img" aria-label={label} style={{ height: `${height}px` }} />;
}

/** What all charts with axes have in common. */
export function base(colours: Colours): Option {
  return {
    textStyle: { fontFamily: "system-ui, sans-serif", color: colours.ink },
    grid: { left: 8, right: 16, top: 16, bottom: 8, containLabel: true },
    tooltip: {
      trigger: "axis",
      confine: true,
      transitionDuration: 0,
      backgroundColor: colours.card,
      borderColor: colours.line,
      textStyle: { color: colours.ink, fontSize: 12 },
      axisPointer: { lineStyle: { color: colours.muted, type: "dashed" } },
    },
  };
}

/** An axis of numbers in the page's colours. */
export function axis(colours: Colours, more: Option = {}): Option {
  return {
    type: "value",
    scale: true,
    axisLine: { show: false },
    axisTick: { show: false },
    axisLabel: { color: colours.muted, fontSize: 11, hideOverlap: true },
    nameTextStyle: { color: colours.muted, fontSize: 12 },
    splitLine: { lineStyle: { color: colours.line } },
    splitNumber: 4,
    ...more,
  };
}

/** Text that may hold `<`, for a tooltip. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (found) => `&#${found.charCodeAt(0)};`);
}

/** Rows of a tooltip: coloured mark, name, value. */
export function tip(title: string, rows: [colour: string, name: string, value: string][]): string {
  const mark = (colour: string) =>
    `<i style="display:inline-block;width:9px;height:9px;border-radius:5px;margin-right:6px;background:${colour}"></i>`;
  const cells = rows.map(
    ([colour, name, value]) =>
      `<span>${mark(colour)}${escapeHtml(name)}</span><span style="text-align:right">${escapeHtml(value)}</span>`,
  );
  const grid = "display:grid;grid-template-columns:auto auto;gap:2px 16px;font-variant-numeric:tabular-nums";
  return `<b>${escapeHtml(title)}</b><div style="${grid};margin-top:3px">${cells.join("")}</div>`;
}
