/** The top of the page: which run, and whether it is going on. */

import { ago, duration } from "./format";
import { type Live, useNow } from "./hooks";
import icon from "./icon.svg";
import type { Page } from "./page";
import type { Run } from "./types";

interface Props {
  page: Page;
  runs: Run[];
  live: Live;
  /** When the newest trajectory came [µs since 1970]; null while that is not known. */
  lastUs: number | null;
  onHelp: () => void;
}

export function Header({ page, runs, live, lastUs, onHelp }: Props) {
  const sections = [
    ["overview", "Overview"],
    ["scatter", "β and y"],
    ["over-time", "Over time"],
    ["top", "Best x"],
    ["actors", "Actors"],
    ...(runs.length > 1 ? [["compare", "Compare"]] : []),
  ];
  return (
    <header class="top">
      <img src={icon} alt="" width="36" height="36" />
      <h1>
        <span class="brand">Thermoflow replay</span>
        {runs.length > 1 ? <Chooser page={page} runs={runs} /> : <span class="run-name">{page.run.name}</span>}
        <span class="task">{page.run.task ?? "unknown task"}</span>
      </h1>
      <nav aria-label="sections">
        {sections.map(([id, name]) => (
          <a key={id} href={`#${id}`}>
            {name}
          </a>
        ))}
      </nav>
      <Status live={live} lastUs={lastUs} />
      <button type="button" class="quiet" onClick={onHelp} aria-label="Keyboard shortcuts" title="Keyboard shortcuts">
        ?
      </button>
    </header>
  );
}

function Chooser({ page, runs }: { page: Page; runs: Run[] }) {
  return (
    <select
      class="run-name"
      aria-label="Run"
      value={page.view.run}
      onChange={(event) => page.go({ run: Number(event.currentTarget.value), trajectory: null })}
    >
      {runs.map((run, n) => (
        <option key={run.path} value={n} title={run.path}>
          {run.name}
        </option>
      ))}
    </select>
  );
}

/** A run counts as live for so long after its last trajectories [s]. */
const LIVE = 12;

function Status({ live, lastUs }: { live: Live; lastUs: number | null }) {
  const now = useNow();
  const last = Math.max(live.changedAt ?? 0, (lastUs ?? 0) / 1000);
  const quiet = Math.max(0, (now - last) / 1000);
  const [kind, words, detail] = live.isLost
    ? ["lost", "connection lost, trying again", ""]
    : last === 0
      ? ["idle", live.news?.trajectories === 0 ? "waiting for trajectories" : "no new trajectories", ""]
      : quiet < LIVE
        ? ["live", "live", ""]
        : [
            "idle",
            "no new trajectories",
            quiet < 86_400 ? ` for ${duration(Math.floor(quiet))}` : `, last ${ago(last * 1000, now * 1000)}`,
          ];
  return (
    <p class={`status ${kind}`}>
      <span class="dot" aria-hidden="true" />
      <span role="status">{words}</span>
      <span class="detail">{detail}</span>
    </p>
  );
}
