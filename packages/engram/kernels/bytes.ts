// Moving and clearing whole buffers.

export function fillZero(at: usize, bytes: usize): void {
  memory.fill(at, 0, bytes);
}

export function copyBytes(to: usize, from: usize, bytes: usize): void {
  memory.copy(to, from, bytes);
}
