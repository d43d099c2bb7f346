/** Questions to the server: one answer, or an answer that is followed as it grows. */

import type { Answer } from "./types";

/** What the server says is wrong, or that it cannot be heard. */
export class ApiError extends Error {
  constructor(
    message: string,
    /** Of HTTP; 0 when there was no answer. */
    readonly status: number,
  ) {
    super(message);
  }

  /** Whether the same question may well be answered a little later. */
  get passes(): boolean {
    return this.status === 0 || this.status >= 500;
  }
}

/** The address of a question; empty values are left out. */
export function address(name: string, values: Record<string, string | number | null | undefined>): string {
  const params = new URLSearchParams();
  for (const [key, value] of Object.entries(values)) {
    if (value !== null && value !== undefined && value !== "") params.set(key, String(value));
  }
  return `api/${name}?${params}`;
}

/** Asks once. */
export async function ask<T>(url: string, signal?: AbortSignal): Promise<T> {
  let response: Response;
  try {
    response = await fetch(url, { signal, headers: { accept: "application/json" } });
  } catch (error) {
    if (signal?.aborted) throw error;
    throw new ApiError("the server does not answer; is `thermoflow replay serve` still running?", 0);
  }
  if (response.status === 401) {
    throw new ApiError("this page needs its key: open the address that the terminal printed", 401);
  }
  if (!response.ok) throw new ApiError(await reason(response), response.status);
  return (await response.json()) as T;
}

async function reason(response: Response): Promise<string> {
  const otherwise = `the server answered ${response.status} ${response.statusText}`;
  try {
    const body = (await response.json()) as { error?: unknown };
    return typeof body.error === "string" ? body.error : otherwise;
  } catch {
    return otherwise;
  }
}

/** Says that something has changed; many changes before one waits are one. */
export class Changes {
  private pending = false;
  private wake: (() => void) | null = null;

  poke(): void {
    this.pending = true;
    this.wake?.();
  }

  /** Resolves once there is a change that nobody has waited for yet. */
  async next(): Promise<void> {
    if (!this.pending) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    this.wake = null;
    this.pending = false;
  }
}

/** Not more often than this is a complete answer asked for again [ms]. */
export const PAUSE = 1000;
/** Pause after an answer that read nothing further [ms]; others are working on the same one. */
export const STUCK = 100;
/** Pause after a failure that may pass [ms]. */
export const RETRY = 2000;

export interface Following<T> {
  ask: () => Promise<Answer<T>>;
  changes: Changes;
  emit: (answer: Answer<T>) => void;
  fail: (error: unknown) => void;
  isOver: () => boolean;
  wait: (ms: number) => Promise<void>;
  now: () => number;
}

/** Asks until all is read, and again after each change, at most once a `PAUSE`; until `isOver`. */
export async function follow<T>(following: Following<T>): Promise<void> {
  const { changes, fail, isOver, wait, now } = following;
  while (!isOver()) {
    const started = now();
    try {
      await untilRead(following);
      await changes.next();
      await wait(Math.max(0, started + PAUSE - now()));
    } catch (error) {
      if (isOver()) return;
      fail(error);
      await (error instanceof ApiError && error.passes ? wait(RETRY) : changes.next());
    }
  }
}

async function untilRead<T>({ ask, emit, isOver, wait }: Following<T>): Promise<void> {
  let before = -1;
  while (!isOver()) {
    const answer = await ask();
    if (isOver()) return;
    emit(answer);
    if (answer.read >= answer.total) return;
    if (answer.read <= before) await wait(STUCK);
    before = answer.read;
  }
}
