import { join, resolve } from "node:path";
import { expect, test } from "vitest";
import { quoted, shellPath } from "./shellPath.js";

test("paths are quoted as the shell needs it", () => {
  expect(["runs/a-1", "my run", "it's", "C:\\runs\\a"].map((path) => quoted(path, "linux"))).toEqual([
    "runs/a-1",
    "'my run'",
    "'it'\\''s'",
    "'C:\\runs\\a'",
  ]);
  expect(["C:\\runs\\a", "C:\\my runs"].map((path) => quoted(path, "win32"))).toEqual(["C:\\runs\\a", '"C:\\my runs"']);
});

test("they begin at the present folder where they lie below it", () => {
  const elsewhere = resolve("..", "elsewhere");
  expect([resolve("runs", "a"), resolve("."), elsewhere].map(shellPath)).toEqual([join("runs", "a"), ".", quoted(elsewhere)]);
});
