/** Numbers and times as people read them. Pure. */

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });

/** 64,000 */
export function count(value: number): string {
  return whole.format(value);
}

/** Four significant digits, without trailing zeros; – where there is none. */
export function number(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e7)) return minus(value.toExponential(Math.max(0, digits - 2)));
  if (size >= 10 ** (digits - 1)) return minus(whole.format(value));
  return minus(String(Number(value.toPrecision(digits))));
}

/** Values of one column, all with the same decimals, so that they can be compared down the column. */
export function column(values: readonly number[]): string[] {
  const largest = Math.max(0, ...values.map(Math.abs).filter(Number.isFinite));
  if (largest >= 1e6 || (largest > 0 && largest < 1e-3)) return values.map((value) => number(value));
  const decimals = largest <= 1 ? 4 : Math.max(0, 3 - Math.floor(Math.log10(largest)));
  const format = new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals });
  return values.map((value) => (Number.isFinite(value) ? minus(format.format(value)) : "–"));
}

/** A real minus sign lines up with the digits. */
function minus(text: string): string {
  return text.replace("-", "−");
}

/** 0.487 → 48.7 % */
export function percent(share: number): string {
  return `${(share * 100).toFixed(1)} %`;
}

/** A probability with three decimals. */
export function probability(value: number): string {
  if (value > 0 && value < 0.0005) return "<0.001";
  return value.toFixed(3);
}

/** 4.99 MiB */
export function bytes(value: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let place = 0;
  let size = value;
  while (size >= 1024 && place < units.length - 1) {
    size /= 1024;
    place += 1;
  }
  return `${place === 0 ? size : size.toPrecision(3)} ${units[place]}`;
}

/** How long: 9.5 s, 3 min 20 s, 2 h 5 min, 3 d 4 h. */
export function duration(seconds: number): string {
  if (seconds < 60) return `${seconds < 10 ? Number(seconds.toFixed(1)) : Math.round(seconds)} s`;
  const rounded = Math.round(seconds);
  const [big, bigName, small, smallName] =
    rounded < 3600
      ? [Math.floor(rounded / 60), "min", rounded % 60, "s"]
      : rounded < 86_400
        ? [Math.floor(rounded / 3600), "h", Math.floor((rounded % 3600) / 60), "min"]
        : [Math.floor(rounded / 86_400), "d", Math.floor((rounded % 86_400) / 3600), "h"];
  return small ? `${big} ${bigName} ${small} ${smallName}` : `${big} ${bigName}`;
}

/** How long ago, in whole units; both in microseconds since 1970. */
export function ago(then_us: number, now_us: number): string {
  const seconds = Math.max(0, Math.floor((now_us - then_us) / 1e6));
  if (seconds < 1) return "now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 2 * 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  return `${Math.floor(seconds / 86_400)} days ago`;
}

/** 2026-11-24 20:39:44, here. */
export function clock(us: number): string {
  const date = new Date(us / 1000);
  const two = (value: number) => String(value).padStart(2, "0");
  return (
    `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ` +
    `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`
  );
}

/** The ends of a range of β or y. */
export function span([low, high]: readonly [number, number]): string {
  return `${number(low, 6)} to ${number(high, 6)}`;
}

/** Corners of a line through values, `0 0 width height` with the largest at the top, for an SVG polyline. */
export function polyline(values: readonly number[], width: number, height: number): string {
  const largest = Math.max(...values, 0) || 1;
  const step = width / Math.max(1, values.length - 1);
  const round = (value: number) => Number(value.toFixed(1));
  return values.map((value, place) => `${round(place * step)},${round(height - (value / largest) * height)}`).join(" ");
}
