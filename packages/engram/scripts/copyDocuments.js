// Puts the repository's README and licence beside a package's package.json, so that they are published with it. npm runs it in that folder.
import { copyFileSync } from "node:fs";

for (const name of ["README.md", "LICENSE"]) copyFileSync(new URL(`../../../${name}`, import.meta.url), name);
