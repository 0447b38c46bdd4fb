// What an access notes of a row while it goes through the links and mixes reads; all 0 between uses. There is a note for row -1 too: loops
// over links let free places, whose row is -1, take part to no effect, as a branch for them would mostly be mispredicted.

@unmanaged
export class LinkNote {
  written: f32; // write weight of the row
  isPreceding: i32; // 1 for a row of p'
  place: i32; // 1 + its place in a list, 0 for none
  unused: i32;
}

/** `notes`: [C] LinkNote, at row 0. */
// @ts-ignore: decorator
@inline
export function noteOf(notes: usize, row: i32): LinkNote {
  return changetype<LinkNote>(notes + (<usize>row << 4));
}
