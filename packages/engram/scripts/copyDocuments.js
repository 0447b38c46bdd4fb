// Puts the repository's README and licence beside a package's package.json, so that they are published with it. npm runs it in that folder.
import { copyFileSync, readFileSync, writeFileSync } from "node:fs";

const from = (name) => new URL(`../../../${name}`, import.meta.url);
copyFileSync(from("LICENSE"), "LICENSE");
// The picture is the repository's alone: a package has no docs folder for it.
writeFileSync("README.md", readFileSync(from("README.md"), "utf8").replace(/<picture>.*?<\/picture>\n+/s, ""));
