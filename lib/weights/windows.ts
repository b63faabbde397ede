// windows.ts: the windows of a large checkpoint, at the price of one collection.
//
// V8 counts the bytes of a buffer as memory that a collection might give back. It collects the whole heap whenever they
// have grown by half of the heap's limit: with windows of 3.5 GB that is one useless collection a window. So the bytes
// of all windows are announced first, which costs one collection. Each window is smaller than that half, and its bytes
// are then taken from the announced ones. No more is taken back than was announced here.

import { getHeapStatistics } from 'node:v8';
import { native } from '../addon/native.js';
import { type TensorPlace, type WeightsFile, WINDOW_BYTES } from './file.js';

/** Smaller windows would be many, and each has a cost of its own. */
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
