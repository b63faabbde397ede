// windows.ts: the windows of a large checkpoint, at the price of one collection.
//
// V8 counts the bytes of a buffer as memory that a collection might give back, and collects the whole heap whenever
// they have grown by half of what the heap may have: with windows of 3.5 GB that is one collection a window, for
// nothing. So the bytes of all windows are announced first, which is one collection, and each window, smaller than that
// half, then takes the place of as many of them. What is taken back is only what was announced here: V8's own count
// stays its own.

import { getHeapStatistics } from 'node:v8';
import { native } from '../addon/native.js';
import { type TensorPlace, type WeightsFile, WINDOW_BYTES } from './file.js';

/** Below that many windows would be needed, and each costs something, too. */
const LEAST = 2 ** 30;
/** Of the heap's limit: less than half. */
const SHARE = 0.45;
const ALIGNMENT = 64;

/** Makes windows over all files, where there are enough bytes of them; `tensors`: of each file, as they lie in it. */
export function showAll(files: readonly WeightsFile[], tensors: readonly (readonly TensorPlace[])[]): void {
  const most = Math.floor(getHeapStatistics().heap_size_limit * SHARE);
  let left = files.reduce((sum, { size }) => sum + size, 0);
  if (most < LEAST || left <= most) return;
  native.accountExternal(left);
  const takeBack = (bytes: number) => {
    native.accountExternal(-Math.min(bytes, left));
    left -= Math.min(bytes, left);
  };
  try {
    for (const [i, file] of files.entries())
      for (const [from, to] of piecesOf(tensors[i]!, file.size, most)) {
        if (to - from > WINDOW_BYTES) continue; // a tensor for parts alone
        file.show(from, to);
        takeBack(to - from);
      }
  } finally {
    takeBack(left);
  }
}

/** Parts of a file of so many bytes at most, but for longer tensors; each tensor is whole in one of them. */
function* piecesOf(tensors: readonly TensorPlace[], size: number, most: number): Generator<[from: number, to: number]> {
  let from = 0;
  let to = 0;
  for (const { begin, end } of tensors) {
    if (end - from > most && to > from) {
      yield [from, to];
      from = begin - (begin % ALIGNMENT); // as aligned as in the file
    }
    to = end;
  }
  if (size > from) yield [from, size];
}
