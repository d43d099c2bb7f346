import { describe, expect, it } from "vitest";
import { ALTERNATIVES, across, cut, down, type Layout, NODE } from "./layout";
import type { Step } from "./types";

function step(state: string, next: string, others: string[]): Step {
  const alternatives = [next, ...others].map((child) => ({ state: child, probability: 0.2, chosen: child === next }));
  return { state, action: 0, next, log_pf: Math.log(0.25), log_pb: 0, alternatives };
}

const STEPS = [step("", "A", ["C", "G", "T", "U"]), step("A", "AC", ["AA"]), step("AC", "ACG", [])];

function overlaps({ nodes }: Layout): number {
  const hit = nodes.filter((a, n) =>
    nodes.slice(n + 1).some((b) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + NODE && b.y < a.y + NODE),
  );
  return hit.length;
}

describe.each([
  ["across", () => across(STEPS)],
  ["down", () => down(STEPS, 300)],
])("a path laid out %s", (_, layout) => {
  it("has a node for each state and for the likeliest others", () => {
    const chosen = layout().nodes.filter((node) => node.isChosen);
    expect(chosen.map((node) => node.label)).toEqual(["(empty)", "A", "AC", "ACG"]);
    expect(layout().nodes).toHaveLength(4 + ALTERNATIVES + 1);
  });

  it("has an edge to each node but the first, with its probabilities", () => {
    const { edges, nodes } = layout();
    expect(edges).toHaveLength(nodes.length - 1);
    const chosen = edges.filter((edge) => edge.isChosen);
    expect(chosen.map((edge) => edge.forward)).toEqual([0.25, 0.25, 0.25].map((p) => expect.closeTo(p)));
    expect(chosen.map((edge) => edge.backward)).toEqual([1, 1, 1]);
  });

  it("has no node over another, and all within its size", () => {
    const { nodes, width, height } = layout();
    expect(overlaps(layout())).toBe(0);
    expect(nodes.every((node) => node.x >= 0 && node.x + node.width <= width && node.y + NODE <= height)).toBe(true);
  });
});

it("a path that leads down is as narrow as its box", () => {
  const long = [step("", "ABCDEFGHIJKLMNOPQRSTUVW", ["WVUTSRQPONMLKJIHGFEDCBA"])];
  expect(down(long, 300).width).toBeLessThanOrEqual(300);
});

it("a path without a policy has no probabilities", () => {
  const bare = STEPS.map((at) => ({ ...at, log_pf: null, log_pb: null, alternatives: [] }));
  expect(across(bare).edges.map((edge) => edge.forward)).toEqual([null, null, null]);
});

it("no path at all is empty", () => {
  expect(across([])).toMatchObject({ nodes: [], edges: [] });
});

it("a long state is cut in its middle", () => {
  expect(cut("ABCDEFGHIJ", 7)).toBe("ABC…HIJ");
  expect(cut("ABC", 7)).toBe("ABC");
});
