import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { float32Text } from "../src/data/numbers.js";
import { contention, describePages, downloaded, goToStep, hover, map } from "./browser.js";
import { readPng } from "./png.js";
import { servedRuns, tensorsOf } from "./servedRuns.js";

const STEPS = 17;
const CELLS = 16;
const PATIENCE = { timeout: 15_000 };
/** Maps are painted where they are seen. */
const allInSight = { viewport: { width: 1280, height: 4000 } };

describePages("the dashboard of a run", (open) => {
  const { run, serve } = servedRuns();

  test("the slider moves every heatmap", async () => {
    await using opened = await open(await serve({ run: run("scrub") }), allInSight);
    const { page } = opened;
    await map(page, "link_matrix").waitFor();
    const ids = await page.locator("[data-map]").evaluateAll((maps) => maps.map((element) => element.getAttribute("data-map")));
    const heads = [1, 2, 3, 4].map((head) => `read_weights-${head}`);
    const overTime = [
      "input",
      "target",
      "output",
      "write_weights",
      ...heads,
      "usage_vector",
      "precedence",
      "gates",
      "read_modes",
      "strengths",
    ];
    expect(new Set(ids)).toEqual(new Set([...overTime, "memory", "weights_now", "link_matrix"]));
    const look = () =>
      page.locator("[data-map]").evaluateAll((maps) =>
        maps.map((element) => ({
          step: element.getAttribute("data-step"),
          cursor: element.querySelector<HTMLElement>(".map-cursor")?.style.left ?? "",
          picture: element.querySelector<HTMLCanvasElement>(".map-plot > canvas")?.toDataURL() ?? "",
        })),
      );
    const seen = new Map<string, string>();
    for (const step of [0, 3, 8, 12, 16]) {
      await goToStep(page, step);
      await page.waitForFunction(
        (wanted) => [...document.querySelectorAll("[data-map]")].every((element) => element.getAttribute("data-step") === wanted),
        String(step),
      );
      for (const [i, { cursor, picture }] of (await look()).entries()) {
        const id = ids[i] ?? "";
        const isOfStep = ["memory", "weights_now", "link_matrix"].includes(id);
        // What shows the whole sequence stays and is marked elsewhere; what shows one step is another picture. (After its last write, at
        // step 7, the memory of this run stays as it is.)
        const changed = isOfStep ? picture : cursor;
        if (!isOfStep || step <= 8 || id === "weights_now") expect(changed, `${id} at step ${step}`).not.toBe(seen.get(id));
        seen.set(id, changed);
      }
    }
  });

  test("the keyboard moves the slider and reads values out", async () => {
    const folder = run("keys");
    await using opened = await open(await serve({ run: folder }));
    const { page } = opened;
    await map(page, "link_matrix").waitFor();
    await page.getByLabel("Step of the sequence").focus();
    for (let i = 0; i < 3; i++) await page.keyboard.press("ArrowRight");
    await page.locator('[data-map="memory"][data-step="3"]').waitFor();
    await map(page, "write_weights").locator(".map-plot").focus();
    await page.keyboard.press("Enter");
    for (const key of ["ArrowDown", "ArrowDown", "ArrowDown"]) await page.keyboard.press(key);
    const written = tensorsOf(folder, 20000).get("debug.write_weights")?.data ?? [];
    await expect
      .poll(() => page.locator('[aria-live="polite"]').textContent(), PATIENCE)
      .toBe(`cell 3, step 0, ${float32Text(written[3] ?? 0)}`);
    await page.keyboard.press("ArrowRight");
    await page.locator('[data-map="memory"][data-step="1"]').waitFor();
  });

  test("hovering shows the very number of the file", async () => {
    const folder = run("hover");
    const tensors = tensorsOf(folder, 20000);
    const value = (name: string, at: number) => float32Text(tensors.get(name)?.data[at] ?? Number.NaN);
    await using opened = await open(await serve({ run: folder }));
    const { page } = opened;
    await map(page, "link_matrix").waitFor();
    for (const [step, cell] of [
      [9, 3],
      [11, 13],
      [2, 0],
      [16, 15],
    ] as const) {
      const lines = await hover(page, "read_weights-1", cell, step, CELLS, STEPS);
      expect(lines).toEqual([`cell ${cell}, step ${step}`, value("debug.read_weights", step * 4 * CELLS + cell)]);
      const [, written] = await hover(page, "write_weights", cell, step, CELLS, STEPS);
      expect(written).toBe(value("debug.write_weights", step * CELLS + cell));
    }
    await goToStep(page, 6);
    await page.locator('[data-map="link_matrix"][data-step="6"]').waitFor();
    for (const [cell, word] of [
      [8, 0],
      [3, 19],
      [13, 7],
    ] as const) {
      const lines = await hover(page, "memory", cell, word, CELLS, 20);
      expect(lines.slice(0, 2)).toEqual([`cell ${cell}, value ${word}`, value("debug.memory", (6 * CELLS + cell) * 20 + word)]);
    }
    const [place, link] = await hover(page, "link_matrix", 8, 3, CELLS, CELLS);
    expect([place, link]).toEqual(["to cell 8, from cell 3", "0.9"]);
    const output = await hover(page, "output", 2, 12, 5, STEPS);
    expect(output.slice(0, 2)).toEqual(["output 2, step 12", value("output", 12 * 5 + 2)]);
    expect(output[2]).toMatch(/^probability of a 1: [01]\.\d{4}$/);
  });

  test("saves a heatmap and a chart as valid PNG, and their numbers as CSV", async () => {
    const folder = run("save");
    const tensors = tensorsOf(folder, 20000);
    await using opened = await open(await serve({ run: folder }));
    const { page } = opened;
    await map(page, "link_matrix").waitFor();
    const save = (label: string) => downloaded(page, () => page.getByLabel(label, { exact: true }).click());

    const picture = await save("Save Read weights, head 2 as PNG");
    expect(picture.name).toBe("read_weights-2.png");
    const { width, height, colors } = readPng(picture.bytes);
    expect([width > 800, height > 200, colors > 30]).toEqual([true, true, true]);
    const chart = readPng((await save("Save Loss as PNG")).bytes);
    expect([chart.width > 300, chart.height > 150, chart.colors > 10]).toEqual([true, true, true]);

    const table = (await save("Save Read weights, head 2 as CSV")).bytes
      .toString()
      .trim()
      .split("\n")
      .map((line) => line.split(","));
    expect([table.length, table[0]?.slice(0, 3), table[4]?.[0]]).toEqual([CELLS + 1, ['"Read weights', ' head 2"', "step 0"], "cell 3"]);
    for (let cell = 0; cell < CELLS; cell++) {
      for (let step = 0; step < STEPS; step++) {
        expect(Math.fround(Number(table[cell + 1]?.[step + 1]))).toBe(
          tensors.get("debug.read_weights")?.data[(step * 4 + 1) * CELLS + cell],
        );
      }
    }
    const metrics = (await save("Save Loss as CSV")).bytes.toString().trim().split("\n");
    expect([metrics.length, metrics[0]?.startsWith("iteration,loss,accuracy")]).toEqual([201, true]);
  });

  test("SDNC: read positions, visible memory and the links among them, of the cells that were used", async () => {
    const folder = run("sdnc", { model: "sdnc", cells: 5000, heads: 2, length: 8, memories: [100] });
    const tensors = tensorsOf(folder, 100);
    await using opened = await open(await serve({ run: folder }));
    const { page } = opened;
    await map(page, "link_matrix").waitFor();
    await goToStep(page, 11);
    await page.locator('[data-map="visible_memory"][data-step="11"]').waitFor();
    const slots = 15;
    const positions = tensors.get("debug.read_positions")?.data.subarray(11 * slots, 12 * slots) ?? [];
    const [place, number, meaning] = await hover(page, "read_positions", 2, 11, slots, STEPS);
    expect([place, number, meaning]).toEqual(["head 1, content 3, step 11", String(positions[2]), `cell ${positions[2]}`]);
    const [where, value] = await hover(page, "visible_memory", 5, 4, slots, 20);
    expect(where).toBe(`head 1, forward 1: cell ${positions[5]}, value 4`);
    expect(value).toBe(float32Text(tensors.get("debug.visible_memory")?.data[(11 * slots + 5) * 20 + 4] ?? Number.NaN));
    const [, link] = await hover(page, "link_matrix", 1, 0, slots, slots);
    expect(link).toBe(float32Text(tensors.get("debug.link_matrix")?.data[11 * slots * slots + slots] ?? Number.NaN));
    expect((await hover(page, "write_weights", 7, 7, 16, STEPS))[0]).toBe("cell 7, step 7");
    await page.getByText("8 of 5,000", { exact: true }).waitFor();
    await page.getByText("Of 5,000 cells 16 are shown, among them all that this sequence uses.").waitFor();
  });

  test("several layers: each of them can be looked at", async () => {
    const folder = run("layers", { layers: 2, lines: 0 });
    await using opened = await open(await serve({ run: folder }));
    const { page } = opened;
    await map(page, "link_matrix").waitFor();
    await page.getByLabel("Layer").selectOption("1");
    const strengths = tensorsOf(folder, 20000).get("debug.read_strengths")?.data ?? [];
    const [, value] = await hover(page, "strengths", 1, 3, 5, STEPS);
    expect(value).toBe(float32Text(strengths[(3 * 2 + 1) * 4] ?? Number.NaN));
  });

  test("two runs are laid over each other, on a log scale, smoothed, zoomed", async () => {
    const [first, second] = [run("first"), run("second", { lines: 120, memories: [] })];
    await using opened = await open(await serve({ run: first, otherRuns: [second] }));
    const { page } = opened;
    const readout = page.locator('[data-chart="loss"] .chart-readout > span');
    await expect.poll(() => readout.count(), PATIENCE).toBe(2);
    await page.getByLabel("Log scale").check();
    await page.getByLabel("Smoothing").fill("90");
    await page.getByText("0.90", { exact: true }).waitFor();
    const whole = page.getByRole("button", { name: "Whole run" });
    const zoom = async () => {
      const box = await page.locator('[data-chart="accuracy"] .u-over').boundingBox();
      if (box === null) return false; // the chart is just being drawn anew
      await page.mouse.move(box.x + 0.25 * box.width, box.y + 40);
      await page.mouse.down();
      await page.mouse.move(box.x + 0.5 * box.width, box.y + 60, { steps: 4 });
      await page.mouse.up();
      return whole.isVisible();
    };
    await expect.poll(zoom, PATIENCE).toBe(true);
    await whole.click();
    await page.getByLabel("Compare with").selectOption({ label: "nothing" });
    await expect.poll(() => readout.count(), PATIENCE).toBe(1);
  });

  test("whether the memory is used: from the weights alone, then from what the ablation found", async () => {
    const folder = run("use");
    await using opened = await open(await serve({ run: folder }));
    const { page } = opened;
    await page.getByText("It looks used: 8 of 16 cells are written").waitFor();
    await page.getByText(`engram evaluate ${folder} --ablate`).waitFor();
    const scores = [
      { name: "as is", length: 8, accuracy: 1 },
      { name: "reads zeroed", length: 8, accuracy: 0.521 },
      { name: "half the cells", length: 8, accuracy: 0.97 },
      { name: "as is", length: 80, accuracy: 0.91 },
    ];
    writeFileSync(join(folder, "ablation.json"), JSON.stringify({ iteration: 20000, needed: true, scores }));
    await page.getByText("Yes: accuracy is 100 % as is and 52.1 % with its reads zeroed.").waitFor();
    await page.getByText("Measured after iteration 20,000 by").waitFor();
    expect(
      await page
        .locator(".scores tr")
        .allInnerTexts()
        .then((rows) => rows.map((row) => row.split(/\s*\t\s*/))),
    ).toEqual([
      ["length", "as is", "reads zeroed", "half the cells"],
      ["8", "100 %", "52.1 %", "97 %"],
      ["80", "91 %", "–", "–"],
    ]);
    writeFileSync(
      join(folder, "ablation.json"),
      JSON.stringify({ needed: false, scores: scores.map((score) => ({ ...score, accuracy: 0.99 })) }),
    );
    await page.getByText("No, the answers do without it: accuracy is 99 % as is and 99 % with its reads zeroed.").waitFor();
  });

  test.each([
    ["light", 1280],
    ["dark", 1280],
    ["light", 390],
    ["dark", 390],
  ] as const)("fits the window and has a name for every control, %s, %i wide", async (colorScheme, width) => {
    await using opened = await open(await serve({ run: run(`fit-${colorScheme}-${width}`) }), {
      colorScheme,
      viewport: { width, height: 800 },
      deviceScaleFactor: 2,
    });
    const { page } = opened;
    await map(page, "link_matrix").waitFor();
    await page.locator('[data-map="memory"][data-step="0"]').waitFor();
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(width);
    expect(await page.evaluate(() => document.documentElement.dataset.theme)).toBe(colorScheme);
    const nameless = await page.locator("button, select, input, [tabindex='0']").evaluateAll((controls) =>
      controls
        .filter((control) => {
          const named = control as HTMLInputElement;
          return (named.getAttribute("aria-label") ?? named.textContent ?? "").trim() === "" && (named.labels?.length ?? 0) === 0;
        })
        .map((control) => control.outerHTML),
    );
    expect(nameless).toEqual([]);
    // Crisp: a canvas has a pixel for each of the screen's.
    const ratios = await page
      .locator(".map-plot > canvas")
      .evaluateAll((canvases) => canvases.map((canvas) => (canvas as HTMLCanvasElement).width / canvas.getBoundingClientRect().width));
    expect(ratios.every((ratio) => Math.abs(ratio - 2) < 0.01)).toBe(true);
  });

  test("a run of 100,000 lines opens in under 2 s", async () => {
    const folder = run("long", { lines: 100_000, memories: [] });
    const best = await bestOf(async () => {
      const url = await serve({ run: folder }); // one that has not read the run yet
      const start = performance.now();
      await using opened = await open(url);
      await opened.page.locator('[data-lines="100000"] [data-chart="loss"] .u-over').waitFor();
      return performance.now() - start;
    }, 2000);
    expect(best).toBeLessThan(2000);
  });

  test("scrubbing stays at 30 frames a second with 512 cells and 100 steps", async () => {
    const folder = run("large", { cells: 512, cellSize: 32, length: 50, lines: 10, memories: [1000] });
    await using opened = await open(await serve({ run: folder }));
    const { page } = opened;
    await page.locator('[data-map="link_matrix"][data-step="0"]').waitFor();
    await page.getByLabel("Step of the sequence").evaluate((slider) => slider.closest("section")?.scrollIntoView());
    const best = await bestOf(() => page.evaluate(scrub, 100), 1000 / 30);
    expect(best).toBeLessThan(1000 / 30);
  });
});

/** The least time of up to three attempts, without waiting for other programs; stops at the first that is good enough. */
async function bestOf(attempt: () => Promise<number>, enough: number): Promise<number> {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3 && best >= enough; i++) {
    const before = contention();
    const time = await attempt();
    const waiting = (before + contention()) / 2;
    console.log(`${time.toFixed(1)} ms on a machine ${waiting.toFixed(1)} times as busy as one that is ours alone`);
    best = Math.min(best, time / waiting);
  }
  return best;
}

/** In the page: goes through the steps as fast as all maps follow. @returns milliseconds a step */
async function scrub(last: number): Promise<number> {
  const slider = document.querySelector<HTMLInputElement>(".scrubber input");
  const maps = [...document.querySelectorAll("[data-map]")];
  const start = performance.now();
  for (let step = 0; step <= last && slider !== null; step++) {
    slider.value = String(step);
    slider.dispatchEvent(new Event("input"));
    do await new Promise((resolve) => requestAnimationFrame(resolve));
    while (maps.some((element) => element.getAttribute("data-step") !== String(step)));
  }
  return (performance.now() - start) / (last + 1);
}
