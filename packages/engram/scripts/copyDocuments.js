// Puts the repository's README and licence beside package.json, so that they are published with the package.
import { copyFileSync } from "node:fs";

for (const name of ["README.md", "LICENSE"]) {
  copyFileSync(new URL(`../../../${name}`, import.meta.url), new URL(`../${name}`, import.meta.url));
}
