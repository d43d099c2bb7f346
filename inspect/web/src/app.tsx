/** The page: what is asked for, and where it is shown. */

import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { Actors } from "./actors";
import { ApiError, address, ask } from "./api";
import { Compare } from "./compare";
import { EMPTY, type View, where } from "./filter";
import { FilterBar } from "./filterbar";
import { Header } from "./header";
import { Help } from "./help";
import { Histogram } from "./histogram";
import { useAnswer, useLive, useOnce, useView } from "./hooks";
import { Betas, Overview } from "./overview";
import type { Page } from "./page";
import { Losses, OverTime } from "./progress";
import { Scatter } from "./scatter";
import { Top } from "./top";
import { Trajectory } from "./trajectory";
import type { Run, Runs, Summary } from "./types";

export function App() {
  const { answer, error } = useOnce<Runs>("api/runs");
  const [view, go] = useView();
  const refusal = useRefusal(view, go);
  if (error) return <Apology title="Nothing to show">{error}</Apology>;
  if (!answer || refusal === "asking") return null;
  const run = answer.runs[view.run];
  if (!run) {
    return (
      <Apology title="No such run">
        This address names run {view.run}, but {answer.runs.length} are served. <a href="./">Show the first</a>
      </Apology>
    );
  }
  return <Shown key={view.run} {...{ run, view, go, runs: answer.runs, refused: refusal }} />;
}

function Apology({ title, children }: { title: string; children: preact.ComponentChildren }) {
  return (
    <main class="apology">
      <h1>{title}</h1>
      <p role="alert">{children}</p>
    </main>
  );
}

interface Refused {
  text: string;
  error: string;
}

/** Asks once whether the condition in the address can be used; one that cannot is taken out, and shown with the reason. */
function useRefusal(view: View, go: (changes: Partial<View>) => void): Refused | null | "asking" {
  const [state, setState] = useState<Refused | null | "asking">(view.text ? "asking" : null);
  // Only the address that the page was opened with.
  useEffect(() => {
    if (!view.text) return;
    ask(address("summary", { run: view.run, where: view.text }))
      .then(() => setState(null))
      .catch((error) => {
        const isBad = error instanceof ApiError && error.status === 400;
        if (isBad) go({ text: "" });
        setState(isBad ? { text: view.text, error: error.message } : null);
      });
  }, []);
  return state;
}

interface ShownProps {
  run: Run;
  runs: Run[];
  view: View;
  go: (changes: Partial<View>) => void;
  refused: Refused | null;
}

function Shown({ run, runs, view, go, refused }: ShownProps) {
  const live = useLive(view.run);
  const [among, setAmong] = useState<string[]>([]);
  const [isHelping, setHelping] = useState(false);
  useShortcuts(() => setHelping(true));
  const condition = where(view);
  const page: Page = useMemo(
    () => ({
      run,
      view,
      where: condition,
      tick: live.tick,
      go,
      clear: () => go({ ...EMPTY, run: view.run }),
      open: (id, others = []) => {
        setAmong(others);
        go({ trajectory: id });
      },
    }),
    [run, view, condition, live.tick, go],
  );
  const summary = useAnswer<Summary>(address("summary", { run: view.run, where: condition }), live.tick, true);
  // Under a filter, the newest that passes says nothing of the newest.
  const lastUs = useRef<number | null>(null);
  if (condition === "" && !summary.isOld) lastUs.current = summary.answer?.span?.last_us ?? null;
  useEffect(() => {
    document.title = `${run.name} · Thermoflow replay`;
  }, [run.name]);
  return (
    <>
      <a class="skip" href="#overview">
        Skip to the overview
      </a>
      <Header {...{ page, runs, live }} lastUs={lastUs.current} onHelp={() => setHelping(true)} />
      <FilterBar {...{ page, summary, refused }} all={live.news?.trajectories ?? null} />
      <main>
        <Overview page={page} summary={summary} />
        <Scatter page={page} />
        <Histogram page={page} />
        <OverTime page={page} modes={summary.answer?.modes?.known ?? null} />
        <Losses page={page} />
        <Betas page={page} summary={summary} />
        <Top page={page} />
        <Actors page={page} summary={summary} />
        {runs.length > 1 && <Compare page={page} />}
      </main>
      {view.trajectory && <Trajectory page={page} id={view.trajectory} among={among} />}
      {isHelping && <Help onClose={() => setHelping(false)} />}
    </>
  );
}

function useShortcuts(onHelp: () => void): void {
  // What it calls never changes.
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      const target = event.target as Element;
      const isTyping = target.matches("input, select, textarea");
      if (isTyping || event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
      if (event.key === "?") onHelp();
      if (event.key !== "/") return;
      event.preventDefault();
      document.querySelector<HTMLInputElement>("#where")?.focus();
    };
    addEventListener("keydown", onKeyDown);
    return () => removeEventListener("keydown", onKeyDown);
  }, []);
}
