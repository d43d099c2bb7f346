import { describe, expect, it } from "vitest";
import { ago, bytes, clock, column, count, duration, number, percent, polyline, probability, span } from "./format";

describe("numbers", () => {
  it("have four significant digits and a real minus sign", () => {
    expect([0, 1, 0.98374, -1.4701, 13.93, 6732.4, 64000].map((value) => number(value))).toEqual([
      "0",
      "1",
      "0.9837",
      "−1.47",
      "13.93",
      "6,732",
      "64,000",
    ]);
  });

  it("are in powers of ten where digits would be lost", () => {
    expect(number(0.00001234)).toBe("1.23e−5");
    expect(number(-2.5e9)).toBe("−2.50e+9");
  });

  it("are a dash where there is none", () => {
    expect([null, undefined, Number.NaN, Number.POSITIVE_INFINITY].map((value) => number(value))).toEqual(
      Array(4).fill("–"),
    );
  });

  it("have the same decimals down a column", () => {
    expect(column([1, 0.5, -0.12345])).toEqual(["1.0000", "0.5000", "−0.1235"]);
    expect(column([2.5, Number.NaN])).toEqual(["2.500", "–"]);
    expect(column([1234.5, 7])).toEqual(["1,235", "7"]);
    expect(column([0.00001, 0])).toEqual(["1.00e−5", "0"]);
  });

  it("count, share, and size", () => {
    expect(count(10_000_000)).toBe("10,000,000");
    expect(percent(0.597)).toBe("59.7 %");
    expect([12, 2048, 5_232_394].map(bytes)).toEqual(["12 bytes", "2.00 KiB", "4.99 MiB"]);
    expect(span([1.25, 2.123456])).toBe("1.25 to 2.12346");
  });

  it("do not call a small probability 0", () => {
    expect([0, 0.0001, 0.0005, 0.2871, 1].map(probability)).toEqual(["0.000", "<0.001", "0.001", "0.287", "1.000"]);
  });
});

describe("times", () => {
  it("last", () => {
    expect([0, 9.53, 59.6, 200, 3600, 7500, 273_600].map(duration)).toEqual([
      "0 s",
      "9.5 s",
      "60 s",
      "3 min 20 s",
      "1 h",
      "2 h 5 min",
      "3 d 4 h",
    ]);
  });

  it("are so long ago", () => {
    const at = (seconds: number) => ago(0, seconds * 1e6);
    expect([0.5, 3.9, 61, 7300, 3 * 86_400].map(at)).toEqual(["now", "3 s ago", "1 min ago", "2 h ago", "3 days ago"]);
    expect(ago(5e6, 1e6)).toBe("now");
  });

  it("are on this machine's clock", () => {
    const here = new Date(2026, 10, 24, 20, 39, 4);
    expect(clock(here.getTime() * 1000)).toBe("2026-11-24 20:39:04");
  });
});

describe("a small curve", () => {
  it("runs from left to right with the largest at the top", () => {
    expect(polyline([0, 2, 1], 96, 20)).toBe("0,20 48,0 96,10");
  });

  it("of nothing lies at the bottom", () => {
    expect(polyline([0, 0], 96, 20)).toBe("0,20 96,20");
  });
});
