// What an access notes of a row while it goes through the links and mixes reads; all 0 between uses.

@unmanaged
export class LinkNote {
  written: f32; // write weight of the row
  precedence: i32; // 1 + its place in p', 0 for none
  sum: f32; // of a temporal reading
  place: i32; // 1 + its place in a list, 0 for none
}

/** `notes`: [C] LinkNote. */
// @ts-ignore: decorator
@inline
export function noteOf(notes: usize, row: i32): LinkNote {
  return changetype<LinkNote>(notes + (<usize>row << 4));
}
