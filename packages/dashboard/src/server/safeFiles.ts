// Opens files of a folder, and nothing that only seems to be in it: a symbolic link on the way out of it is refused.
import { constants, type Stats } from "node:fs";
import { type FileHandle, open, realpath, stat } from "node:fs/promises";
import { join, sep } from "node:path";

/** A file being read. Close `handle` when done. */
export interface OpenFile {
  readonly handle: FileHandle;
  readonly stats: Stats;
}

/**
 * Opens `folder/names…` for reading.
 * @param folder absolute, and itself without symbolic links (`realpath`)
 * @param names fixed or already checked: single names, no paths
 * @returns undefined when there is no such file, it is no plain file, or it lies elsewhere
 */
export async function openInside(folder: string, ...names: readonly string[]): Promise<OpenFile | undefined> {
  const path = join(folder, ...names);
  let handle: FileHandle | undefined;
  try {
    handle = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0) | (constants.O_NONBLOCK ?? 0));
    const stats = await handle.stat();
    if (stats.isFile() && (await isInside(folder, path, stats))) return { handle, stats };
  } catch (error) {
    if (!isAbsent(error)) throw error;
  }
  await handle?.close();
  return undefined;
}

/** Whether the file that was opened is the one that lies, links followed, in the folder. */
async function isInside(folder: string, path: string, opened: Stats): Promise<boolean> {
  const real = await realpath(path);
  if (!real.startsWith(folder.endsWith(sep) ? folder : folder + sep)) return false;
  const { dev, ino } = await stat(real);
  return dev === opened.dev && ino === opened.ino;
}

/** ELOOP: a symbolic link; ENXIO: a pipe or socket. */
function isAbsent(error: unknown): boolean {
  return ["ENOENT", "ENOTDIR", "ELOOP", "EMLINK", "EISDIR", "ENXIO"].includes((error as NodeJS.ErrnoException).code ?? "");
}

/** The text of a file of the folder, if it is there and not longer than `most` bytes. */
export async function readTextInside(most: number, folder: string, ...names: readonly string[]): Promise<string | undefined> {
  const file = await openInside(folder, ...names);
  if (file === undefined) return undefined;
  try {
    return file.stats.size > most ? undefined : await file.handle.readFile("utf8");
  } finally {
    await file.handle.close();
  }
}
