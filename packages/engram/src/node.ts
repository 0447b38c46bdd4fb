/// <reference types="node" />
// engram/node: what needs a file system. Nothing else in the library imports from here.
export { removeTemporaryFiles, writeFileAtomic } from "./node/atomicFile.js";
export { type LatestCheckpoint, type MetricsLine, RunFolder, type StepFile } from "./node/runFolder.js";
export type { LockHolder } from "./node/runLock.js";
