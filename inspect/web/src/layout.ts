/** Where the states of a path and their likeliest alternatives are drawn. Pure; lengths in pixels. */

import type { Step } from "./types";

/** Alternatives drawn at each step; of more, the likeliest. */
export const ALTERNATIVES = 3;

const LETTER = 7.3;
const PADDING = 16;
export const NODE = 26;
/** Room for an edge and its two numbers. */
const GAP = 74;
/** From the path down to its first alternative, and from one to the next. */
const [FIRST, NEXT] = [50, 32];
const [TALL, SIDE] = [124, 62];

export interface Node {
  x: number;
  y: number;
  width: number;
  label: string;
  /** The whole label, where it is cut. */
  full: string;
  isChosen: boolean;
}

export interface Edge {
  from: [number, number];
  to: [number, number];
  isChosen: boolean;
  /** P_F and P_B; null without a policy. */
  forward: number | null;
  backward: number | null;
}

export interface Layout {
  nodes: Node[];
  edges: Edge[];
  width: number;
  height: number;
}

/** A state as it is written in a node of at most `letters`. */
export function cut(state: string, letters: number): string {
  const text = state === "" ? "(empty)" : state;
  if (text.length <= letters) return text;
  const head = Math.ceil((letters - 1) / 2);
  return `${text.slice(0, head)}…${text.slice(text.length - (letters - 1 - head))}`;
}

/** The likeliest children that were not chosen. */
export function rejected(step: Step): { state: string; probability: number }[] {
  return step.alternatives.filter((child) => !child.chosen).slice(0, ALTERNATIVES);
}

function widthOf(label: string): number {
  return Math.round(label.length * LETTER + PADDING);
}

function exp(value: number | null): number | null {
  return value === null ? null : Math.exp(value);
}

type Place = (column: number, row: number, width: number) => [x: number, y: number];

/** Left to right: the path along the top, alternatives under the state that they would have led to. */
export function across(steps: Step[]): Layout {
  const letters = 18;
  const states = statesOf(steps);
  const widths = states.map((state, column) => {
    const beside = column === 0 ? [] : rejected(steps[column - 1] as Step).map((child) => child.state);
    return Math.max(...[state, ...beside].map((text) => widthOf(cut(text, letters))));
  });
  const starts = widths.map((_, column) => widths.slice(0, column).reduce((sum, width) => sum + width + GAP, 1));
  const place: Place = (column, row) => [starts[column] ?? 0, row === 0 ? 1 : 1 + FIRST + (row - 1) * NEXT];
  const ends = (from: Node, to: Node): Pick<Edge, "from" | "to"> => ({
    from: [from.x + from.width, from.y + NODE / 2],
    to: [to.x, to.y + NODE / 2],
  });
  return laid(steps, letters, place, ends, (column) => widths[column]);
}

/** Top to bottom: the path down the left, alternatives to the right of it. */
export function down(steps: Step[], width: number): Layout {
  const half = Math.floor((width - SIDE) / 2);
  const letters = Math.max(6, Math.floor((half - PADDING) / LETTER));
  const place: Place = (column, row) =>
    row === 0 ? [1, 1 + column * TALL] : [half + SIDE - 1, 1 + (column - 1) * TALL + NODE + 6 + (row - 1) * (NODE + 5)];
  const ends = (from: Node, to: Node): Pick<Edge, "from" | "to"> =>
    to.isChosen
      ? { from: [from.x + 18, from.y + NODE], to: [to.x + 18, to.y] }
      : { from: [from.x + from.width, from.y + NODE / 2], to: [to.x, to.y + NODE / 2] };
  return laid(steps, letters, place, ends, () => undefined);
}

function statesOf(steps: Step[]): string[] {
  return [...steps.slice(0, 1).map((step) => step.state), ...steps.map((step) => step.next)];
}

function laid(
  steps: Step[],
  letters: number,
  place: Place,
  ends: (from: Node, to: Node) => Pick<Edge, "from" | "to">,
  columnWidth: (column: number) => number | undefined,
): Layout {
  const node = (state: string, column: number, row: number): Node => {
    const label = cut(state, letters);
    const width = columnWidth(column) ?? widthOf(label);
    const [x, y] = place(column, row, width);
    return { x, y, width, label, full: state, isChosen: row === 0 };
  };
  const path = statesOf(steps).map((state, column) => node(state, column, 0));
  const nodes = [...path];
  const edges: Edge[] = [];
  steps.forEach((step, n) => {
    const from = path[n] as Node;
    rejected(step).forEach(({ state, probability }, row) => {
      const to = node(state, n + 1, row + 1);
      nodes.push(to);
      edges.push({ ...ends(from, to), isChosen: false, forward: probability, backward: null });
    });
    const chosen = { isChosen: true, forward: exp(step.log_pf), backward: exp(step.log_pb) };
    edges.push({ ...ends(from, path[n + 1] as Node), ...chosen });
  });
  const width = Math.max(0, ...nodes.map((at) => at.x + at.width)) + 1;
  const height = Math.max(0, ...nodes.map((at) => at.y + NODE)) + 1;
  return { nodes, edges, width, height };
}
