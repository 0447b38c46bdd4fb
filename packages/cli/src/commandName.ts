// How to call the command again, for what is printed to be pasted: from a clone or a project that has it installed, npm finds it.

/** "engram", or "npx engram" where npm started this one. */
export const commandName = process.env.npm_command === undefined ? "engram" : "npx engram";
