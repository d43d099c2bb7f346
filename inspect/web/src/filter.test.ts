import { describe, expect, it } from "vitest";
import { EMPTY, fromQuery, isFiltered, leadsTo, ordered, range, roundOut, toQuery, type View, where } from "./filter";

const VIEW: View = { run: 1, text: "x LIKE '%A&T%'", beta: [1.5, 2], y: [-0.1, 0.75], trajectory: "00ff:12" };

describe("the address", () => {
  it("names a view, and the view comes back", () => {
    expect(fromQuery(toQuery(VIEW))).toEqual(VIEW);
  });

  it("is bare for the view one starts with", () => {
    expect(toQuery(EMPTY)).toBe("");
    expect(fromQuery("")).toEqual(EMPTY);
  });

  it("with what cannot be read is as if that were not there", () => {
    expect(fromQuery("?run=-1&beta=1&y=a..b&trajectory=&where=%20")).toEqual(EMPTY);
    expect(fromQuery("?run=1.5").run).toBe(0);
  });
});

describe("ranges", () => {
  it("have the lower end first", () => {
    expect(range("2..1.5")).toEqual([1.5, 2]);
    expect(ordered(3, -3)).toEqual([-3, 3]);
  });

  it("need two numbers", () => {
    expect(["..", "1..", "..2", "1..2..3", "1..x", null].map(range)).toEqual(Array(6).fill(null));
  });

  it("are rounded outwards to what can be seen", () => {
    expect(roundOut([1.23456, 1.98765], 2)).toEqual([1.23, 1.99]);
    expect(roundOut([123.4, 567.8], 1000)).toEqual([123, 568]);
    expect(roundOut([-0.00123456, 0.00098], 0.003)).toEqual([-0.00124, 0.00098]);
  });

  it("that are round stay as they are", () => {
    expect(roundOut([0.07, 0.29], 1)).toEqual([0.07, 0.29]);
  });
});

describe("the condition", () => {
  it("joins what was typed and what was brushed", () => {
    expect(where(EMPTY)).toBe("");
    expect(where({ ...EMPTY, text: "y > 1 OR y < 0" })).toBe("y > 1 OR y < 0");
    expect(where({ ...EMPTY, beta: [1, 2] })).toBe("beta BETWEEN 1 AND 2");
    expect(where(VIEW)).toBe("(x LIKE '%A&T%'\n) AND beta BETWEEN 1.5 AND 2 AND y BETWEEN -0.1 AND 0.75");
  });

  it("survives a comment at the end of what was typed", () => {
    expect(where({ text: "y > 1 -- good ones", beta: [1, 2], y: null })).toBe(
      "(y > 1 -- good ones\n) AND beta BETWEEN 1 AND 2",
    );
  });

  it("is there or not", () => {
    expect(isFiltered(EMPTY)).toBe(false);
    expect(isFiltered({ ...EMPTY, trajectory: "00ff:1" })).toBe(false);
    expect(isFiltered({ ...EMPTY, y: [0, 0] })).toBe(true);
  });

  it("on one object holds its quotes", () => {
    expect(leadsTo("it's")).toBe("x = 'it''s'");
  });
});
