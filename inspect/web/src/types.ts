/** What the server answers; each is the JSON of the struct of that name in inspect/src. Nats and microseconds. */

export interface Answer<T> {
  /** Trajectories looked at so far; below `total` the answer is of these alone, and asking again goes on. */
  read: number;
  total: number;
  answer: T;
}

export interface Column {
  name: string;
  type: string;
  unit?: string;
  meaning: string;
}

export interface Run {
  name: string;
  path: string;
  run_id: string | null;
  task: string | null;
  mode: "sync" | "async" | null;
  has_modes: boolean;
  has_policy: boolean;
  columns: Column[];
}

export interface Runs {
  version: string;
  runs: Run[];
}

export interface Quantiles {
  min: number;
  p5: number;
  p25: number;
  p50: number;
  p75: number;
  p95: number;
  p99: number;
  max: number;
  mean: number;
}

export interface Span {
  first_us: number;
  last_us: number;
  per_second: number;
  curve: number[];
}

export interface OfBeta {
  beta: string;
  trajectories: number;
  y: Quantiles;
  log_reward: Quantiles;
}

export interface Sender {
  name: string;
  lives: number;
  trajectories: number;
  span: Span;
  staleness: Quantiles;
}

export interface Summary {
  name: string;
  run_id: string | null;
  task: string | null;
  bytes: number;
  trajectories: number;
  distinct: number;
  duplicates: number;
  too_stale: number;
  round: number | null;
  span: Span | null;
  modes: { found: number; known: number } | null;
  trained: { round: number; online: number; replayed: number } | null;
  staleness: Quantiles | null;
  betas: OfBeta[];
  actors: Sender[];
}

export interface Points {
  id: string[];
  x: string[];
  beta: number[];
  y: number[];
}

export interface Scatter {
  /** Trajectories of which the points are a sample. */
  count: number;
  points: Points;
}

export interface Group {
  name: string;
  count: number;
  counts: number[];
  quantiles: Quantiles;
}

export interface Histogram {
  of: string;
  by: string | null;
  edges: number[];
  groups: Group[];
}

export interface Part {
  round: number;
  seconds: number;
  trajectories_so_far: number;
  trajectories: number;
  distinct: number;
  modes: number;
  top100_y: number;
  y: Quantiles;
  beta: Quantiles;
}

export interface Timeline {
  has_modes: boolean;
  parts: Part[];
}

export interface Losses {
  columns: string[];
  rows: (number | null)[][];
}

export interface Best {
  object_id: number;
  x: string;
  y: number;
  log_reward: number;
  seen: number;
  first: { actor: string; incarnation: string; seq: number; round: number; beta: number; received_us: number };
}

export interface Top {
  total: number;
  rows: Best[];
}

export interface Alternative {
  state: string;
  probability: number;
  chosen: boolean;
}

export interface Step {
  state: string;
  action: number;
  next: string;
  log_pf: number | null;
  log_pb: number | null;
  alternatives: Alternative[];
}

export interface Judged {
  checkpoint: string;
  log_z: number;
  log_pf: number;
  log_pb: number;
  log_target: number;
  residual: number;
}

export interface Trace {
  id: string;
  actor: string;
  round: number;
  policy_version: number;
  staleness: number;
  received_us: number;
  beta: number;
  x: string;
  y: number;
  log_reward: number;
  log_pf: number;
  seen: number;
  steps: Step[];
  judged: Judged | null;
}

export interface Compared {
  name: string;
  summary: Summary;
  timeline: Timeline;
  best_y: number | null;
  top100_y: number | null;
}

/** What the live stream says. */
export interface News {
  last_batch: number;
  trajectories: number;
  bytes: number;
}
