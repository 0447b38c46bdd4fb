import { describe, expect, test } from "vitest";
import { normalizeSpelling } from "./spelling.js";

const normalize = (...args: string[]) => normalizeSpelling(args, ["quiet", "stop_when_solved"]);

describe("every spelling of a flag becomes one", () => {
  test.each([
    ["-batch_size", "32"],
    ["--batch_size", "32"],
    ["--batch-size", "32"],
    ["-batch-size", "32"],
    ["--Batch-Size", "32"],
  ])("%s %s", (...args) => {
    expect(normalize(...args)).toEqual(["--batch_size", "32"]);
  });

  test("with its value behind an equals sign", () => {
    expect(normalize("--batch-size=32", "-lr=1e-3", "--out=a-b=c")).toEqual(["--batch_size=32", "--lr=1e-3", "--out=a-b=c"]);
  });

  test("switches: alone, off, or with a value", () => {
    expect(normalize("-quiet", "--stop-when-solved", "--no-quiet")).toEqual(["--quiet", "--stop_when_solved", "--no-quiet"]);
    expect(normalize("--quiet=false", "--stop_when_solved=on")).toEqual(["--no-quiet", "--stop_when_solved"]);
  });

  test("numbers, paths and words are left alone", () => {
    const args = ["train", "copy", "-cuda", "-1", "--lr", "-.5", "C:\\runs\\my-run", "./a-b", "-h", "-"];
    expect(normalize(...args)).toEqual(["train", "copy", "--cuda", "-1", "--lr", "-.5", "C:\\runs\\my-run", "./a-b", "-h", "-"]);
    expect(normalize("inspect", "--", "-file-name")).toEqual(["inspect", "--", "-file-name"]);
  });
});
