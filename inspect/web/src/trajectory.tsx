/** One trajectory, over the page: its facts, its path, and what the newest policy says of it. */

import { useEffect, useRef } from "preact/hooks";
import { address } from "./api";
import { leadsTo } from "./filter";
import { clock, count, number, probability } from "./format";
import { useOnce } from "./hooks";
import { rejected } from "./layout";
import type { Page } from "./page";
import { Scroll } from "./panel";
import { Path } from "./path";
import type { Judged, Step, Trace } from "./types";

interface Props {
  page: Page;
  id: string;
  among: string[];
}

export function Trajectory({ page, id, among }: Props) {
  const dialog = useRef<HTMLDialogElement>(null);
  const title = useRef<HTMLHeadingElement>(null);
  const close = () => page.go({ trajectory: null });
  useEffect(() => {
    dialog.current?.showModal();
    title.current?.focus();
  }, []);
  const { answer, error } = useOnce<Trace>(address("trajectory", { run: page.view.run, id }));
  return (
    // biome-ignore lint/a11y/useKeyWithClickEvents: a dialog closes by Esc of itself
    <dialog
      class="trajectory"
      ref={dialog}
      aria-labelledby="trajectory-title"
      onClose={close}
      // A click on the backdrop is one on the dialog itself.
      onClick={(event) => event.target === dialog.current && dialog.current?.close()}
    >
      <div class="inside">
        <header class="panel-head">
          <div>
            <h2 id="trajectory-title" tabIndex={-1} ref={title}>
              Trajectory to <span class="mono">{answer?.x ?? "…"}</span>
            </h2>
            <p class="note mono">{answer?.id ?? id}</p>
          </div>
          <div class="controls">
            <Neighbours id={id} among={among} onOpen={(other) => page.open(other, among)} />
            <button type="button" onClick={() => dialog.current?.close()} aria-label="Close">
              Close <kbd>Esc</kbd>
            </button>
          </div>
        </header>
        {error && (
          <p class="error" role="alert">
            {error}
          </p>
        )}
        {answer ? (
          <Body page={page} trace={answer} />
        ) : (
          !error && <div class="placeholder" style={{ minHeight: "420px" }} />
        )}
      </div>
    </dialog>
  );
}

function Neighbours({ id, among, onOpen }: { id: string; among: string[]; onOpen: (id: string) => void }) {
  const place = among.indexOf(id);
  if (place < 0) return null;
  const to = (name: string, sign: string, other: string | undefined) => (
    <button type="button" aria-label={name} title={name} disabled={!other} onClick={() => other && onOpen(other)}>
      {sign}
    </button>
  );
  return (
    <>
      <span class="muted">
        {place + 1} of {among.length} on this page of the table
      </span>
      {to("Previous in the table", "‹", among[place - 1])}
      {to("Next in the table", "›", among[place + 1])}
    </>
  );
}

function Body({ page, trace }: { page: Page; trace: Trace }) {
  const { judged, steps } = trace;
  const all = () => page.go({ trajectory: null, text: leadsTo(trace.x), beta: null, y: null });
  return (
    <>
      <div class="facts-and-terms">
        <Facts trace={trace} onAll={all} />
        {judged && <Terms judged={judged} />}
      </div>
      <h3>Path</h3>
      {!judged && <p class="note">{why(page, trace)}</p>}
      {steps.length > 0 && (
        <>
          {judged && (
            <p class="note key">
              <b class="forward">P_F</b> over, <b class="backward">P_B</b> under each step taken; grey: the likeliest
              other children with their P_F. Lines are as thick as they are likely.
            </p>
          )}
          <Path steps={steps} />
          <details>
            <summary>The path as a table</summary>
            <Steps steps={steps} />
          </details>
        </>
      )}
    </>
  );
}

function why(page: Page, { steps }: Trace): string {
  if (steps.length === 0) return "The task of this run is not known, so its actions cannot be followed.";
  if (!page.run.has_policy) return "This run has no checkpoint yet, so there is no policy to ask for probabilities.";
  return "No policy could be asked for probabilities.";
}

function Facts({ trace, onAll }: { trace: Trace; onAll: () => void }) {
  const facts: [string, string][] = [
    ["y", number(trace.y)],
    ["log R", `${number(trace.log_reward)} nats`],
    ["β", number(trace.beta)],
    ["actor", trace.actor],
    ["round", count(trace.round)],
    [
      "weights",
      `version ${count(trace.policy_version)} (${trace.staleness === 0 ? "newest" : `${count(trace.staleness)} behind`})`,
    ],
    ["received", clock(trace.received_us)],
    ["log P_F when sampled", `${number(trace.log_pf)} nats`],
  ];
  return (
    <dl class="facts">
      {facts.map(([name, value]) => (
        <div key={name}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
      <div>
        <dt>x was reached</dt>
        <dd>
          <button type="button" class="link" onClick={onAll}>
            {trace.seen === 1 ? "once: show it alone" : `${count(trace.seen)} times: show them all`}
          </button>
        </dd>
      </div>
    </dl>
  );
}

/** The residual of trajectory balance, term by term. */
function Terms({ judged }: { judged: Judged }) {
  const terms: [string, string, number][] = [
    ["", "log Z(β)", judged.log_z],
    ["+", "Σ log P_F", judged.log_pf],
    ["−", "β·log R", judged.log_target],
    ["−", "Σ log P_B", judged.log_pb],
  ];
  return (
    <table class="terms">
      <caption>Trajectory balance, nats; checkpoint {judged.checkpoint.split("/").at(-1)}</caption>
      <tbody>
        {terms.map(([sign, name, value]) => (
          <tr key={name}>
            <th scope="row">
              <span class="sign">{sign}</span> {name}
            </th>
            <td>{number(value)}</td>
          </tr>
        ))}
        <tr class="sum">
          <th scope="row">
            <span class="sign">=</span> residual
          </th>
          <td data-fact="residual" data-value={judged.residual}>
            {number(judged.residual)}
          </td>
        </tr>
      </tbody>
    </table>
  );
}

function Steps({ steps }: { steps: Step[] }) {
  const isJudged = steps.some((step) => step.log_pf !== null);
  const exp = (value: number | null) => (value === null ? "–" : probability(Math.exp(value)));
  return (
    <Scroll label="steps">
      <table>
        <thead>
          <tr>
            <th class="num">step</th>
            <th class="num">action</th>
            <th>state</th>
            {isJudged && (
              <>
                <th class="num">P_F</th>
                <th class="num">P_B</th>
                <th>would rather</th>
              </>
            )}
          </tr>
        </thead>
        <tbody>
          {steps.map((step, n) => (
            <tr key={`${n} ${step.next}`}>
              <td>{n + 1}</td>
              <td>{step.action}</td>
              <th scope="row" class="mono">
                {step.next}
              </th>
              {isJudged && (
                <>
                  <td>{exp(step.log_pf)}</td>
                  <td>{exp(step.log_pb)}</td>
                  <td class="left">
                    {rejected(step).map(({ state, probability: p }) => (
                      <span class="rather" key={state}>
                        <span class="mono">{state || "(empty)"}</span> {probability(p)}
                      </span>
                    ))}
                  </td>
                </>
              )}
            </tr>
          ))}
        </tbody>
      </table>
    </Scroll>
  );
}
