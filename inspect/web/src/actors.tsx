/** The actors: how fast, how stale, when last heard. */

import { isFiltered } from "./filter";
import { ago, clock, count, number } from "./format";
import { type Known, useNow } from "./hooks";
import type { Page } from "./page";
import { Panel, Scroll, Shown, Sparkline } from "./panel";
import type { Summary } from "./types";

export function Actors({ page, summary }: { page: Page; summary: Known<Summary> }) {
  const actors = summary.answer?.actors.length ?? 0;
  return (
    <Panel
      id="actors"
      title="Actors"
      note={actors === 1 ? "1 actor sent these" : `${actors} actors sent these`}
      class="wide"
    >
      <Shown
        known={summary}
        height={120}
        isEmpty={(answer) => answer.actors.length === 0}
        isFiltered={isFiltered(page.view)}
        onClear={page.clear}
      >
        {(answer) => <Table summary={answer} />}
      </Shown>
    </Panel>
  );
}

function Table({ summary }: { summary: Summary }) {
  const now = useNow();
  return (
    <Scroll label="table of actors" class="tall">
      <table>
        <thead>
          <tr>
            <th>actor</th>
            <th class="num">lives</th>
            <th class="num">trajectories</th>
            <th class="num">per s</th>
            <th>rate</th>
            <th class="num">staleness, median</th>
            <th class="num">95 %</th>
            <th class="num">last heard</th>
          </tr>
        </thead>
        <tbody>
          {summary.actors.map((actor) => (
            <tr key={actor.name}>
              <th scope="row">{actor.name}</th>
              <td>{count(actor.lives)}</td>
              <td>{count(actor.trajectories)}</td>
              <td>{number(actor.span.per_second)}</td>
              <td class="left">
                <Sparkline values={actor.span.curve} label={`rate of ${actor.name} from start to end`} />
              </td>
              <td>{number(actor.staleness.p50)}</td>
              <td>{number(actor.staleness.p95)}</td>
              <td title={clock(actor.span.last_us)}>{ago(actor.span.last_us, now * 1000)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
