/** The real programs and a real browser, for tests and screenshots. Every wait is for a condition, and has a deadline. */

import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";
import { chromium } from "playwright-core";

const WEB = resolve(import.meta.dirname, "..");
export const ROOT = resolve(WEB, "../..");
const BIN = resolve(WEB, process.env.THERMOFLOW_BIN_DIR ?? "../../target/release");
const PROGRAM = join(BIN, "thermoflow");
const CHROMIUM = process.env.CHROMIUM ?? "/usr/bin/chromium";
const CONFIG = "configs/tfbind8.toml";

/** Until a program has done its work, or a page shows it [ms]. */
const DEADLINE = 60_000;
/** Until a training run is over [ms]. */
const TRAINING = 600_000;

function need(path, what) {
  assert.ok(existsSync(path), `${path} is missing: ${what}`);
}

need(PROGRAM, "build it with `make build`, or name its directory in THERMOFLOW_BIN_DIR");
need(CHROMIUM, "install Chromium, or name its program in CHROMIUM");

/** What comes of something that a program does; a program that fails at it is stopped, or it would keep this one alive. */
async function orStop(program, work) {
  try {
    return await work();
  } catch (error) {
    await program.stop();
    throw error;
  }
}

/** Waits until a condition gives something true, which is returned. */
export async function until(what, condition, deadline = DEADLINE) {
  const end = performance.now() + deadline;
  let last;
  while (performance.now() < end) {
    last = await condition();
    if (last) return last;
    await sleep(50);
  }
  assert.fail(`not within ${deadline / 1000} s: ${what}`);
}

/** A directory that is gone afterwards. */
export async function scratch() {
  const path = await mkdtemp(join(tmpdir(), "thermoflow-page-"));
  return { path, remove: () => rm(path, { recursive: true, force: true }) };
}

/** Starts a program; what it says is kept for when it fails. */
function start(args) {
  const child = spawn(PROGRAM, args, { cwd: ROOT, stdio: ["ignore", "pipe", "pipe"] });
  const said = { out: "", err: "" };
  child.stdout.on("data", (text) => {
    said.out += text;
  });
  child.stderr.on("data", (text) => {
    said.err += text;
  });
  const over = new Promise((done) => child.on("exit", (code, signal) => done({ code, signal })));
  const isOver = () => child.exitCode !== null || child.signalCode !== null;
  const end = async (deadline = DEADLINE) => {
    const late = sleep(deadline, "late", { ref: false });
    const how = await Promise.race([over, late]);
    if (how === "late") child.kill("SIGKILL");
    assert.notEqual(how, "late", `${args.join(" ")} is not over within ${deadline / 1000} s; it said ${said.err}`);
    return how;
  };
  const stop = async () => {
    if (!isOver()) child.kill("SIGINT");
    return end();
  };
  return { said, isOver, end, stop };
}

function training(directory, rounds, seed) {
  return start(["train", CONFIG, "--rounds", String(rounds), "--seed", String(seed), "--run-dir", directory]);
}

/** Trains a run to its end. */
export async function train(directory, { rounds, seed = 0 }) {
  const run = training(directory, rounds, seed);
  const { code } = await run.end(TRAINING);
  assert.equal(code, 0, `training failed: ${run.said.err}`);
}

/** Starts a run that goes on, once it has written some. */
export async function keepTraining(directory) {
  const run = training(directory, 1_000_000, 1);
  const hasSome = async () => {
    assert.ok(!run.isOver(), `training ended: ${run.said.err}`);
    if (!existsSync(join(directory, "replay.sqlite"))) return false;
    return (await replay("summary", directory).catch(() => null))?.trajectories > 0;
  };
  await orStop(run, () => until("the run has a replay", hasSome));
  return run;
}

/** Serves runs on a free port. */
export async function serve(...runs) {
  const server = start(["replay", "serve", ...runs, "--bind", "127.0.0.1:0"]);
  const said = () => {
    assert.ok(!server.isOver(), `the server ended: ${server.said.err}`);
    return /http:\/\/\S+/.exec(server.said.out)?.[0];
  };
  const address = await orStop(server, () => until("the server says where it is", said));
  return { address, stop: server.stop };
}

/** What the command line answers, as JSON. */
export async function replay(question, ...args) {
  const options = { cwd: ROOT, maxBuffer: 1 << 26 };
  const { stdout } = await promisify(execFile)(PROGRAM, ["replay", question, ...args, "--json"], options);
  return JSON.parse(stdout);
}

export function launch() {
  const quiet = ["--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"];
  const args = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", ...quiet];
  return chromium.launch({ executablePath: CHROMIUM, args });
}

/** A page that notes down what goes wrong in it, and where it goes. */
export async function open(browser, address, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  const page = await context.newPage();
  const wrong = [];
  const { origin } = new URL(address);
  page.on("pageerror", (error) => wrong.push(`failed: ${error.message}`));
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type()))
      wrong.push(`console: ${message.text()} ${message.location().url}`);
  });
  page.on("request", (request) => {
    const isOwn = /^(data|blob):/.test(request.url()) || new URL(request.url()).origin === origin;
    if (!isOwn) wrong.push(`asked elsewhere: ${request.url()}`);
  });
  const close = () => context.close();
  page.setDefaultTimeout(DEADLINE);
  try {
    await page.goto(address);
    await page.locator('[data-fact="trajectories"]').waitFor();
  } catch (error) {
    await close();
    throw new Error(`the page does not load: ${wrong.join("; ")}`, { cause: error });
  }
  return { page, wrong, close };
}

/** The number that an element shows. */
export async function shown(page, fact) {
  const text = await page.locator(`[data-fact="${fact}"]`).first().textContent();
  return Number(text.replaceAll(",", ""));
}

/** Opens a panel's part of the page, so that it asks for its answer. */
export async function show(page, panel) {
  await page.locator(`#${panel}`).evaluate((box) => box.scrollIntoView({ behavior: "instant" }));
  await until(`${panel} shows its answer`, () =>
    page.locator(`#${panel}`).evaluate((box) => !box.querySelector(".placeholder, .is-old, [aria-busy=true]")),
  );
}
