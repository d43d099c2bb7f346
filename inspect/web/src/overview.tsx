/** The run at a glance, and each β. */

import type { ComponentChildren } from "preact";
import { isFiltered } from "./filter";
import { bytes, clock, column, count, duration, number, percent } from "./format";
import type { Known } from "./hooks";
import type { Page } from "./page";
import { Panel, Scroll, Shown, Sparkline } from "./panel";
import type { OfBeta, Summary } from "./types";

interface Props {
  page: Page;
  summary: Known<Summary>;
}

export function Overview({ page, summary }: Props) {
  const { run, view } = page;
  const span = summary.answer?.span;
  const facts = [
    run.run_id && `run ${run.run_id}`,
    run.mode,
    span && `${clock(span.first_us)} to ${clock(span.last_us)} (${duration((span.last_us - span.first_us) / 1e6)})`,
  ];
  return (
    <Panel id="overview" title="Overview" note={facts.filter(Boolean).join(" · ")} class="wide">
      <Shown
        known={summary}
        height={84}
        isEmpty={(answer) => answer.trajectories === 0}
        isFiltered={isFiltered(view)}
        onClear={page.clear}
      >
        {(answer) => <Tiles summary={answer} />}
      </Shown>
    </Panel>
  );
}

function Tiles({ summary }: { summary: Summary }) {
  const { span, modes, staleness, trained } = summary;
  const best = Math.max(...summary.betas.map((beta) => beta.y.max));
  return (
    <dl class="tiles">
      <Tile name="Trajectories" value={count(summary.trajectories)} id="trajectories">
        {trained
          ? `${number(trained.replayed / Math.max(1, trained.online), 3)} replayed per new one`
          : "accepted by the learner"}
      </Tile>
      <Tile name="Distinct x" value={count(summary.distinct)}>
        {percent(summary.duplicates)} duplicates
      </Tile>
      {modes && (
        <Tile name="Modes found" value={count(modes.found)}>
          of {count(modes.known)}, {percent(modes.found / Math.max(1, modes.known))}
          <span class="bar" aria-hidden="true">
            <span style={{ width: `${(100 * modes.found) / Math.max(1, modes.known)}%` }} />
          </span>
        </Tile>
      )}
      <Tile name="Best y" value={number(best)}>
        last round {summary.round === null ? "–" : count(summary.round)}
      </Tile>
      {span && (
        <Tile name="Rate" value={number(span.per_second)} unit="per s">
          <Sparkline values={span.curve} label="trajectories per second from start to end" />
        </Tile>
      )}
      {staleness && (
        <Tile
          name="Staleness, median"
          value={number(staleness.p50)}
          unit={staleness.p50 === 1 ? "version" : "versions"}
        >
          95 %: {number(staleness.p95)}, largest {number(staleness.max)}
          {summary.too_stale > 0 && <>, {percent(summary.too_stale)} not trained on</>}
        </Tile>
      )}
      <Tile name="On disk" value={bytes(summary.bytes)}>
        the whole replay
      </Tile>
    </dl>
  );
}

function Tile(props: { name: string; value: string; unit?: string; id?: string; children: ComponentChildren }) {
  return (
    <div class="tile">
      <dt>{props.name}</dt>
      <dd>
        <span class="big" data-fact={props.id}>
          {props.value}
        </span>
        {props.unit && <span class="unit"> {props.unit}</span>}
        <div class="small">{props.children}</div>
      </dd>
    </div>
  );
}

/** Quantiles of y and log R at each β. */
export function Betas({ page, summary }: Props) {
  return (
    <Panel id="betas" title="By β" note="quantiles of y and log R (nats) at each inverse temperature">
      <Shown
        known={summary}
        height={320}
        isEmpty={(answer) => answer.trajectories === 0}
        isFiltered={isFiltered(page.view)}
        onClear={page.clear}
      >
        {(answer) => <BetaTable summary={answer} />}
      </Shown>
    </Panel>
  );
}

function BetaTable({ summary }: { summary: Summary }) {
  const of = (value: (row: OfBeta) => number) => column(summary.betas.map(value));
  const columns = [
    of(({ y }) => y.p5),
    of(({ y }) => y.p50),
    of(({ y }) => y.p95),
    of(({ y }) => y.max),
    of(({ log_reward }) => log_reward.p5),
    of(({ log_reward }) => log_reward.p50),
    of(({ log_reward }) => log_reward.p95),
  ];
  return (
    <Scroll label="table of β">
      <table>
        <thead>
          <tr>
            <th rowSpan={2}>β</th>
            <th rowSpan={2} class="num">
              trajectories
            </th>
            <th colSpan={4} class="span">
              y
            </th>
            <th colSpan={3} class="span">
              log R
            </th>
          </tr>
          <tr>
            {["5 %", "median", "95 %", "largest", "5 %", "median", "95 %"].map((name, place) => (
              <th class="num" key={place}>
                {name}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {summary.betas.map((row, place) => (
            <tr key={row.beta}>
              <th scope="row">{row.beta}</th>
              <td>{count(row.trajectories)}</td>
              {columns.map((values, n) => (
                <td key={n}>{values[place]}</td>
              ))}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
