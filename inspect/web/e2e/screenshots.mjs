/** Draws the page for the README, of a run as `make train` makes it. */

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { launch, open, ROOT, scratch, serve, show, train } from "./harness.mjs";

const IMAGES = join(ROOT, "docs/images");
const PANELS = ["scatter", "histogram", "over-time"];

async function shoot(browser, address, name, { top = null, prepare = async () => {}, ...options } = {}) {
  const { page, wrong, close } = await open(browser, address, options);
  for (const panel of PANELS) await show(page, panel);
  await page.evaluate(() => scrollTo({ top: 0, behavior: "instant" }));
  if (top) await show(page, top);
  await prepare(page);
  await page.screenshot({ path: join(IMAGES, `${name}.png`) });
  await close();
  if (wrong.length > 0) throw new Error(`${name}: ${wrong.join("; ")}`);
}

const directory = await scratch();
const browser = await launch();
try {
  await mkdir(IMAGES, { recursive: true });
  const run = join(directory.path, "first-run");
  await train(run, { rounds: 2000 });
  const server = await serve(run);
  try {
    const wide = { viewport: { width: 1280, height: 1450 } };
    await shoot(browser, server.address, "replay-page", wide);
    const brushed = `${server.address}?beta=1.6..2.4&y=0.55..0.9`;
    await shoot(browser, brushed, "replay-page-dark", { ...wide, colorScheme: "dark" });
    await shoot(browser, server.address, "replay-phone", {
      viewport: { width: 360, height: 740 },
      deviceScaleFactor: 2,
    });
    const openBest = async (page) => {
      await show(page, "top");
      await page.locator("#top tbody tr").first().click();
      await page.locator("dialog [data-fact=residual]").waitFor();
    };
    await shoot(browser, server.address, "replay-trajectory", {
      viewport: { width: 1280, height: 640 },
      prepare: openBest,
    });
  } finally {
    await server.stop();
  }
} finally {
  await browser.close();
  await directory.remove();
}
