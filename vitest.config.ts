import { defineConfig } from "vitest/config";

// .ci/run reads the counts from a report; elsewhere only the usual output is printed.
const report = process.env.ENGRAM_TEST_REPORT;

export default defineConfig({
  test: {
    include: ["packages/*/{src,kernels,test}/**/*.test.ts", "{bench,examples}/*.test.js"],
    setupFiles: ["packages/engram/test/matchers.ts"],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    pool: "forks",
    maxWorkers: 2,
    ...(report === undefined ? {} : { reporters: ["default", "json"], outputFile: { json: report } }),
  },
});
