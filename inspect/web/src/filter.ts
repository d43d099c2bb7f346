/** What is looked at: which run, which trajectories, which one is open. Pure; it is kept in the address, so that a view can be kept and shared. */

export type Range = [number, number];

export interface View {
  run: number;
  /** A condition in SQL on the view `replay`; empty: none. */
  text: string;
  beta: Range | null;
  y: Range | null;
  /** The trajectory that is open: INCARNATION:SEQ, or an object. */
  trajectory: string | null;
}

export const EMPTY: View = { run: 0, text: "", beta: null, y: null, trajectory: null };

/** The view that an address's query names; what it cannot read counts as absent. */
export function fromQuery(query: string): View {
  const params = new URLSearchParams(query);
  const run = Number(params.get("run") ?? 0);
  return {
    run: Number.isInteger(run) && run >= 0 ? run : 0,
    text: params.get("where")?.trim() ?? "",
    beta: range(params.get("beta")),
    y: range(params.get("y")),
    trajectory: params.get("trajectory") || null,
  };
}

/** The query of a view, with its question mark; empty for the view one starts with. */
export function toQuery(view: View): string {
  const params = new URLSearchParams();
  if (view.run > 0) params.set("run", String(view.run));
  if (view.text) params.set("where", view.text);
  if (view.beta) params.set("beta", view.beta.join(".."));
  if (view.y) params.set("y", view.y.join(".."));
  if (view.trajectory) params.set("trajectory", view.trajectory);
  const query = params.toString();
  return query && `?${query}`;
}

/** `1.5..2` as a range with the lower end first. */
export function range(text: string | null): Range | null {
  const ends = (text ?? "").split("..");
  if (ends.length !== 2 || ends.some((end) => end.trim() === "")) return null;
  return ordered(Number(ends[0]), Number(ends[1]));
}

/** Two ends in order; null when one is no number. */
export function ordered(a: number, b: number): Range | null {
  if (!Number.isFinite(a) || !Number.isFinite(b)) return null;
  return a <= b ? [a, b] : [b, a];
}

/** What was brushed, as SQL. */
export function brushWhere(view: Pick<View, "beta" | "y">): string {
  const between = (column: string, ends: Range | null) => (ends ? [`${column} BETWEEN ${ends[0]} AND ${ends[1]}`] : []);
  return [...between("beta", view.beta), ...between("y", view.y)].join(" AND ");
}

/** All conditions of a view, as SQL; empty: none. */
export function where(view: Pick<View, "text" | "beta" | "y">): string {
  const brush = brushWhere(view);
  if (!view.text || !brush) return view.text || brush;
  // The line break ends a comment that the text may end in.
  return `(${view.text}\n) AND ${brush}`;
}

/** Whether a view leaves any trajectory out. */
export function isFiltered(view: View): boolean {
  return where(view) !== "";
}

/** A range rounded outwards to digits that can be seen, a hundredth to a thousandth of what is shown: nothing brushed is lost. */
export function roundOut([low, high]: Range, shown: number): Range {
  const digits = Math.min(12, Math.max(0, 3 - Math.ceil(Math.log10(Math.abs(shown) || 1))));
  const unit = 10 ** digits;
  const rounded = (value: number, round: (value: number) => number) =>
    Number((round(Number((value * unit).toFixed(6))) / unit).toFixed(digits));
  return [rounded(low, Math.floor), rounded(high, Math.ceil)];
}

/** All trajectories that lead to an object, as SQL. */
export function leadsTo(x: string): string {
  return `x = '${x.replaceAll("'", "''")}'`;
}
