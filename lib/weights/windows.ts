// windows.ts: makes the windows of a large checkpoint at the price of one collection (D70 in docs/DECISIONS.md).
//
// V8 counts the bytes of a buffer as memory that a collection might give back. It collects the whole heap whenever they
// have grown by half of the heap's limit. With windows of 3.5 GB that is a useless collection for each window. So the
// bytes of all windows are announced first, which costs one collection. Each window is smaller than that half, and its
// bytes are then taken off the announced ones. Never more is taken off than was announced here.

import { getHeapStatistics } from 'node:v8';
import { native } from '../addon/native.js';
import { type TensorPlace, type WeightsFile, WINDOW_BYTES } from './file.js';

/** The least bytes of a window: each window has a cost of its own. */
const LEAST = 2 ** 30;
/** The share of the heap's limit that a window may have: less than half. */
const SHARE = 0.45;
const ALIGNMENT = 64;

/**
 * Makes windows over all files, if they have enough bytes. `tensors`: those of each file, in the order of their data.
 */
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
        if (to - from > WINDOW_BYTES) continue; // a tensor that is shown only in parts
        file.show(from, to);
        takeBack(to - from);
      }
  } finally {
    takeBack(left);
  }
}

/** Parts of a file, of at most so many bytes, except for longer tensors. Each tensor lies in one part. */
function* piecesOf(tensors: readonly TensorPlace[], size: number, most: number): Generator<[from: number, to: number]> {
  let from = 0;
  let to = 0;
  for (const { begin, end } of tensors) {
    if (end - from > most && to > from) {
      yield [from, to];
      from = begin - (begin % ALIGNMENT); // so that what is aligned in the file is aligned in the window
    }
    to = end;
  }
  if (size > from) yield [from, size];
}
