/** What panels share: answers that are followed, the live stream, the view in the address, light and dark. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";
import { ApiError, ask, Changes, follow } from "./api";
import { fromQuery, toQuery, type View } from "./filter";
import type { Answer, News } from "./types";

/** An answer as far as it is known. */
export interface Known<T> {
  answer: T | null;
  read: number;
  total: number;
  error: string | null;
  /** It is of an earlier question: the one asked now has no answer yet. */
  isOld: boolean;
}

const NOTHING = { url: "", answer: null, read: 0, total: 0, error: null };

/** Follows an answer while `isOn`, again with each new `tick`. What was known stays until something newer comes. */
export function useAnswer<T>(url: string, tick: number, isOn: boolean): Known<T> {
  const [known, setKnown] = useState<Omit<Known<T>, "isOld"> & { url: string }>(NOTHING);
  const changes = useRef(new Changes());
  useEffect(() => {
    if (!isOn) return;
    const abort = new AbortController();
    const mine = new Changes();
    changes.current = mine;
    follow<T>({
      ask: () => ask<Answer<T>>(url, abort.signal),
      changes: mine,
      emit: ({ answer, read, total }) => setKnown({ url, answer, read, total, error: null }),
      fail: (error) => setKnown((old) => ({ ...old, error: say(error) })),
      isOver: () => abort.signal.aborted,
      wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
      now: () => performance.now(),
    });
    return () => {
      abort.abort();
      mine.poke();
    };
  }, [url, isOn]);
  useEffect(() => {
    if (tick > 0) changes.current.poke();
  }, [tick]);
  return { ...known, isOld: known.answer !== null && known.url !== url };
}

/** Asks once for each address; null asks nothing. */
export function useOnce<T>(url: string | null, tick = 0): { answer: T | null; error: string | null } {
  const [state, setState] = useState<{ url: string | null; answer: T | null; error: string | null }>({
    url: null,
    answer: null,
    error: null,
  });
  // A new tick asks again.
  useEffect(() => {
    if (!url) return;
    const abort = new AbortController();
    ask<T>(url, abort.signal)
      .then((answer) => setState({ url, answer, error: null }))
      .catch((error) => {
        if (!abort.signal.aborted) setState({ url, answer: null, error: say(error) });
      });
    return () => abort.abort();
  }, [url, tick]);
  return state.url === url ? state : { answer: null, error: null };
}

/** A failure in words. */
export function say(error: unknown): string {
  if (error instanceof ApiError) return error.message;
  return `this page failed: ${error instanceof Error ? error.message : String(error)}`;
}

export interface Live {
  /** Rises when there is more to ask for; stands still while the page is hidden. */
  tick: number;
  news: News | null;
  /** When news came that differed from what was known at the start [ms since 1970]. */
  changedAt: number | null;
  isLost: boolean;
}

/** Listens to what a run gets. */
export function useLive(run: number): Live {
  const [live, setLive] = useState<Live>({ tick: 0, news: null, changedAt: null, isLost: false });
  useEffect(() => {
    let latest: News | null = null;
    let changedAt: number | null = null;
    let shown = 0;
    let source: EventSource | null = null;
    let again = 0;
    const show = (isLost: boolean) => {
      if (document.hidden && !isLost) return;
      const isNew = changedAt !== null && latest !== null && latest.last_batch !== shown;
      shown = latest?.last_batch ?? shown;
      setLive((old) => ({ tick: old.tick + (isNew ? 1 : 0), news: latest, changedAt, isLost }));
    };
    const listen = () => {
      source = new EventSource(`api/live?run=${run}`);
      source.onmessage = (event) => {
        const news = JSON.parse(event.data) as News;
        if (latest && news.last_batch !== latest.last_batch) changedAt = Date.now();
        if (!latest) shown = news.last_batch;
        latest = news;
        show(false);
      };
      source.onerror = () => {
        show(true);
        // A source that is closed for good does not try again by itself.
        if (source?.readyState === EventSource.CLOSED) again = window.setTimeout(listen, 2000);
      };
    };
    const seen = () => show(false);
    listen();
    document.addEventListener("visibilitychange", seen);
    return () => {
      source?.close();
      clearTimeout(again);
      document.removeEventListener("visibilitychange", seen);
    };
  }, [run]);
  return live;
}

/** The view in the address, and a way to change it that Back undoes. */
export function useView(): [View, (changes: Partial<View>) => void] {
  const [view, setView] = useState(() => fromQuery(location.search));
  const current = useRef(view);
  useEffect(() => {
    const read = () => {
      current.current = fromQuery(location.search);
      setView(current.current);
    };
    addEventListener("popstate", read);
    return () => removeEventListener("popstate", read);
  }, []);
  const go = useCallback((changes: Partial<View>) => {
    const next = { ...current.current, ...changes };
    if (toQuery(next) === toQuery(current.current)) return;
    current.current = next;
    history.pushState(null, "", toQuery(next) || location.pathname);
    setView(next);
  }, []);
  return [view, go];
}

/** Whether an element is on the screen or nearly; the page asks only for what is. */
export function useOnScreen<E extends Element>(): [{ current: E | null }, boolean] {
  const ref = useRef<E>(null);
  const [isOn, setOn] = useState(false);
  useEffect(() => {
    if (!ref.current) return;
    const observer = new IntersectionObserver((entries) => setOn(entries.at(-1)?.isIntersecting ?? false), {
      rootMargin: "150px",
    });
    observer.observe(ref.current);
    return () => observer.disconnect();
  }, []);
  return [ref, isOn];
}

/** Whether a media query holds. */
export function useMedia(query: string): boolean {
  const [holds, setHolds] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const read = () => setHolds(list.matches);
    read();
    list.addEventListener("change", read);
    return () => list.removeEventListener("change", read);
  }, [query]);
  return holds;
}

/** The time, every second [ms since 1970]. */
export function useNow(): number {
  const [now, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1000);
    return () => clearInterval(timer);
  }, []);
  return now;
}
