// Synthetic runs with a server each, for the tests of the dashboard's pages.
import { mkdtempSync, readFileSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tensor } from "engram";
import { readSafetensors } from "engram/files";
import { type Dashboard, type DashboardOptions, serveDashboard } from "engram-dashboard/server";
import { afterAll, afterEach, beforeAll } from "vitest";
import { type SyntheticOptions, writeSyntheticRun } from "./syntheticRun.js";

export interface ServedRuns {
  /** Writes a run. @returns its folder */
  run(name: string, options?: SyntheticOptions): string;
  /** Serves runs until the end of the test. @returns where the page is */
  serve(options: DashboardOptions): Promise<string>;
}

/** For the tests of the suite that calls this. */
export function servedRuns(): ServedRuns {
  let root: string;
  const servers: Dashboard[] = [];
  beforeAll(() => {
    root = mkdtempSync(join(realpathSync(tmpdir()), "engram-page-"));
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) await server.close();
  });
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  return {
    run(name, options = {}) {
      writeSyntheticRun(join(root, name), options);
      return join(root, name);
    },
    async serve(options) {
      const server = await serveDashboard(options);
      servers.push(server);
      return server.url;
    },
  };
}

export const tensorsOf = (folder: string, iteration: number): ReadonlyMap<string, Tensor> =>
  readSafetensors(readFileSync(join(folder, "memory", `step-${iteration}.safetensors`))).tensors;
