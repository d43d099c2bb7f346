/** The page of `thermoflow replay serve`, as a person uses it, against what the command line says of the same run. */

import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { keepTraining, launch, open, replay, scratch, serve, show, shown, train, until } from "./harness.mjs";

let directory;
let run;
let other;
let server;
let browser;

before(async () => {
  directory = await scratch();
  run = join(directory.path, "a");
  other = join(directory.path, "b");
  await train(run, { rounds: 300 });
  await train(other, { rounds: 60, seed: 1 });
  server = await serve(run, other);
  browser = await launch();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await directory?.remove();
});

/** A test on a fresh page, on which nothing may go wrong but what it expects. */
function onPage(name, body, { query = "", expected = () => false, ...options } = {}) {
  test(name, async () => {
    const { page, wrong, close } = await open(browser, server.address + query, options);
    try {
      await body(page);
      const unexpected = wrong.filter((line) => !expected(line));
      assert.deepEqual(unexpected, []);
    } finally {
      await close();
    }
  });
}

/** Waits until so many trajectories pass the filter on the page. */
async function passing(page, count) {
  await until(`${count} trajectories pass`, async () => {
    const facts = page.locator('[data-fact="passing"]');
    return (await facts.count()) > 0 && (await shown(page, "passing")) === count;
  });
  await until("the overview follows", async () => (await shown(page, "trajectories")) === count);
}

async function passes(where) {
  return (await replay("summary", run, "--where", where)).trajectories;
}

async function filter(page, text) {
  await page.locator("#where").fill(text);
  await page.locator("#where").press("Enter");
}

onPage("shows the numbers that the command line says", async (page) => {
  const summary = await replay("summary", run);
  assert.equal(await shown(page, "trajectories"), summary.trajectories);
  const tile = (name) => page.locator("#overview .tile", { hasText: name });
  const big = async (name) => (await tile(name).locator(".big").textContent()).replaceAll(",", "");
  assert.equal(await big("Distinct x"), String(summary.distinct));
  assert.equal(await big("Modes found"), String(summary.modes.found));
  assert.match(await tile("Modes found").textContent(), new RegExp(`of ${summary.modes.known},`));
  await show(page, "betas");
  assert.equal(await page.locator("#betas tbody tr").count(), summary.betas.length);
  await show(page, "actors");
  assert.equal(await page.locator("#actors tbody tr").count(), summary.actors.length);
});

onPage("draws every chart, and says in words what it shows", async (page) => {
  for (const panel of ["scatter", "histogram", "over-time", "losses", "compare"]) {
    await show(page, panel);
    const label = await page.locator(`#${panel} [role="img"]`).first().getAttribute("aria-label");
    assert.ok(label.length > 10, panel);
    await until(`${panel} is drawn`, () => page.locator(`#${panel} canvas`).first().evaluate(isDrawn));
  }
});

/** Whether a canvas holds more than one colour. */
function isDrawn(canvas) {
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint32Array(data.buffer);
  return pixels.some((pixel) => pixel !== pixels[0]);
}

onPage("filters everything by a rectangle over the scatter", async (page) => {
  await show(page, "scatter");
  const box = await page.locator("#scatter canvas").first().boundingBox();
  const at = (x, y) => [box.x + box.width * x, box.y + box.height * y];
  await page.mouse.move(...at(0.4, 0.25));
  await page.mouse.down();
  await page.mouse.move(...at(0.6, 0.4));
  await page.mouse.move(...at(0.8, 0.6));
  await page.mouse.up();
  const ends = await until("the address names the rectangle", () => {
    const { searchParams } = new URL(page.url());
    return (
      searchParams.has("beta") && [searchParams.get("beta"), searchParams.get("y")].map((range) => range.split(".."))
    );
  });
  const [[b0, b1], [y0, y1]] = ends;
  const count = await passes(`beta BETWEEN ${b0} AND ${b1} AND y BETWEEN ${y0} AND ${y1}`);
  assert.ok(count > 0 && count < (await replay("summary", run)).trajectories, `${count} pass`);
  await passing(page, count);
  await show(page, "top");
  const ys = await page.locator("#top tbody tr td:nth-child(3)").allTextContents();
  assert.ok(
    ys.length > 0 && ys.every((y) => Number(y) >= Number(y0) && Number(y) <= Number(y1)),
    `${ys} in ${y0} to ${y1}`,
  );
  await page.goBack();
  await until("Back takes the filter away", () => page.getByText("No filter: all trajectories").isVisible());
});

onPage("takes exact ends from the keyboard, and takes a filter away", async (page) => {
  for (const [label, value] of [
    ["β from", "1.5"],
    ["β to", "2"],
  ]) {
    await page.getByLabel(label).fill(value);
    await page.getByLabel(label).press("Tab");
  }
  await passing(page, await passes("beta BETWEEN 1.5 AND 2"));
  await page.getByRole("button", { name: "β from 1.5 to 2, remove" }).press("Enter");
  await until("the filter is gone", () => page.getByText("No filter: all trajectories").isVisible());
});

onPage("filters by a condition in SQL, kept in the address", async (page) => {
  await filter(page, "y > 0.5 AND beta < 2 -- the good ones");
  await passing(page, await passes("y > 0.5 AND beta < 2"));
  await page.reload();
  await passing(page, await passes("y > 0.5 AND beta < 2"));
});

onPage(
  "keeps the view when a condition is wrong, and says why",
  async (page) => {
    await filter(page, "y > 0.5");
    const count = await passes("y > 0.5");
    await passing(page, count);
    await filter(page, "yy > 0.5");
    await page.locator("#where-error").waitFor();
    assert.match(await page.locator("#where-error").textContent(), /no such column: yy/);
    await passing(page, count);
    assert.equal(new URL(page.url()).searchParams.get("where"), "y > 0.5");
  },
  { expected: (line) => /400.*api\/summary/.test(line) },
);

onPage("says when nothing passes, and clears the filter", async (page) => {
  await filter(page, "y > 1000");
  await page.locator("#overview").getByText("No trajectory passes the filter.").waitFor();
  await page.locator("#overview").getByRole("button", { name: "Clear the filter" }).click();
  await until("all are back", async () => (await page.locator('[data-fact="trajectories"]').count()) > 0);
});

onPage("opens a trajectory with the residual that the command line says", async (page) => {
  await show(page, "top");
  await page.locator("#top tbody tr").nth(1).click();
  const dialog = page.locator("dialog.trajectory");
  await dialog.locator('[data-fact="residual"]').waitFor();
  const id = new URL(page.url()).searchParams.get("trajectory");
  const trace = await replay("show", run, id, "--checkpoint", run);
  const residual = Number(await dialog.locator('[data-fact="residual"]').getAttribute("data-value"));
  assert.ok(Math.abs(residual - trace.judged.residual) < 1e-6, `${residual}, ${trace.judged.residual}`);
  const states = await dialog.locator(".state.chosen text").allTextContents();
  assert.deepEqual(states, ["(empty)", ...trace.steps.map((step) => step.next)]);
  await dialog.getByRole("button", { name: "Next in the table" }).click();
  await until("the next is shown", () => new URL(page.url()).searchParams.get("trajectory") !== id);
  await dialog.getByRole("button", { name: /show/ }).click();
  await until("the dialog is gone", async () => (await page.locator("dialog").count()) === 0);
  assert.match(new URL(page.url()).searchParams.get("where"), /^x = '[ACGT]{8}'$/);
});

onPage("opens a point of the scatter", async (page) => {
  await show(page, "scatter");
  await page.getByRole("application").focus();
  for (const key of ["ArrowRight", "ArrowRight", "ArrowUp", "Enter"]) await page.keyboard.press(key);
  await page.locator("dialog.trajectory [data-fact=residual]").waitFor();
});

onPage("sorts the table, searches it and turns its pages", async (page) => {
  await show(page, "top");
  const cells = (column) => page.locator(`#top tbody tr > :nth-child(${column})`).allTextContents();
  const best = await replay("top", run, "-n", "15");
  assert.deepEqual(
    await cells(2),
    best.map((row) => row.x),
  );
  await page.getByRole("button", { name: "seen", exact: true }).click();
  await page.locator('#top th[aria-sort="descending"]', { hasText: "seen" }).waitFor();
  await until("it is sorted by how often", async () => {
    const seen = (await cells(5)).map(Number);
    return seen[0] > 1 && seen.every((value, n) => n === 0 || value <= seen[n - 1]);
  });
  const first = await cells(2);
  await page.getByRole("button", { name: "next page" }).click();
  await until("the second page is shown", async () => (await cells(1))[0] === "16");
  assert.ok((await cells(2)).every((x) => !first.includes(x)));
  await page.getByPlaceholder("x contains…").fill("GAT");
  await until("only those with GAT are left", async () => {
    const found = await cells(2);
    return found.length > 0 && found.every((x) => x.includes("GAT")) && (await cells(1))[0] === "1";
  });
});

onPage("downloads what passes the filter", async (page) => {
  await filter(page, "y > 0.6");
  const count = await passes("y > 0.6");
  await passing(page, count);
  await page.locator(".download summary").click();
  assert.match(await page.locator(".download .note").textContent(), new RegExp(count.toLocaleString("en-US")));
  const [download] = await Promise.all([
    page.waitForEvent("download"),
    page.getByRole("link", { name: "CSV" }).click(),
  ]);
  const lines = (await readFile(await download.path(), "utf8")).trim().split("\n");
  assert.equal(lines.length, count + 1);
});

onPage("can be used with the keyboard alone", async (page) => {
  await page.keyboard.press("/");
  await page.keyboard.type("y > 0.3");
  await page.keyboard.press("Enter");
  await passing(page, await passes("y > 0.3"));
  const isAt = (selector) => page.evaluate((wanted) => document.activeElement.matches(wanted), selector);
  const tabTo = async (selector) => {
    for (let n = 0; n < 80 && !(await isAt(selector)); n++) await page.keyboard.press("Tab");
    assert.ok(await isAt(selector), `Tab leads to ${selector}`);
  };
  await tabTo("#top input");
  await show(page, "top");
  await tabTo("#top tbody button");
  await page.keyboard.press("Enter");
  await page.locator("dialog.trajectory [data-fact=residual]").waitFor();
  await page.keyboard.press("Escape");
  await until("Esc closes it", async () => (await page.locator("dialog").count()) === 0);
  assert.ok(await isAt("#top tbody button"), "the focus is back where it was");
  await page.keyboard.press("?");
  await page.locator("dialog.help").waitFor();
});

async function isWithin(page, width) {
  return page.evaluate((most) => document.documentElement.scrollWidth <= most, width);
}

onPage(
  "fits a phone",
  async (page) => {
    for (const panel of [
      "overview",
      "scatter",
      "histogram",
      "over-time",
      "losses",
      "betas",
      "actors",
      "compare",
      "top",
    ]) {
      await show(page, panel);
      assert.ok(await isWithin(page, 360), panel);
    }
    await page.locator("#top tbody tr").first().click();
    await page.locator("dialog [data-fact=residual]").waitFor();
    assert.ok(await page.locator("dialog").evaluate((dialog) => dialog.scrollWidth <= 360));
  },
  { viewport: { width: 360, height: 740 } },
);

test("is dark where the system is", async () => {
  const background = async (colorScheme) => {
    const { page, close } = await open(browser, server.address, { colorScheme });
    const colour = await page.evaluate(() => getComputedStyle(document.body).backgroundColor);
    await close();
    return colour;
  };
  assert.notEqual(await background("dark"), await background("light"));
});

onPage("compares runs, and shows the other", async (page) => {
  await show(page, "compare");
  const row = page.locator("#compare tbody tr", { hasText: "trajectories" }).first();
  const counts = (await row.locator("td").allTextContents()).map((text) => Number(text.replaceAll(",", "")));
  const second = (await replay("summary", other)).trajectories;
  assert.deepEqual(counts, [(await replay("summary", run)).trajectories, second]);
  await page.getByLabel("Run", { exact: true }).selectOption("1");
  await until("the other run is shown", async () => (await shown(page, "trajectories")) === second);
});

test("follows a run that goes on, and notices when the server is gone", async () => {
  const going = join(directory.path, "going");
  const training = await keepTraining(going);
  const server = await serve(going);
  const { page, wrong, close } = await open(browser, server.address);
  try {
    const first = await shown(page, "trajectories");
    await page.evaluate(() => {
      window.isTheSame = true;
    });
    await until("the count rises", async () => (await shown(page, "trajectories")) > first);
    const second = await shown(page, "trajectories");
    await until("it rises again", async () => (await shown(page, "trajectories")) > second);
    assert.ok(await page.evaluate(() => window.isTheSame), "without loading the page again");
    await until("it says that it is live", () => page.locator(".status.live").isVisible());
    await training.stop();
    const { trajectories } = await replay("summary", going);
    await until("all of the run is there", async () => (await shown(page, "trajectories")) === trajectories);
    assert.deepEqual(wrong, []);
    await server.stop();
    await until("the loss is noticed", () => page.locator(".status.lost").isVisible());
  } finally {
    await training.stop();
    await server.stop();
    await close();
  }
});
