// Errors in how the command was called, as opposed to those of the library.

/** Something is wrong with the arguments; ends with exit code 2. */
export class UsageError extends Error {}
