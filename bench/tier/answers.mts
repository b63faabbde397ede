// answers.mts — whether an answer is the item's value: all of it before anything is timed, then its two ends.

import { WrongAnswer } from '../harness/wrong-answer.mjs';
import { bytesOf, DIMENSIONS, elementOf, keyOf, VALUE_BYTES } from './catalogue.mjs';
import type { Answer } from './stores.mjs';

const view = new DataView(new ArrayBuffer(8));

/** Compares the first and the last element. @throws {WrongAnswer} */
export function check(store: string, id: number, answer: Answer): void {
  if (answer !== null && answer !== undefined && ends(answer, id)) return;
  throw WrongAnswer.from(store, keyOf(id), 'while timed');
}

/** Compares every byte. @throws {WrongAnswer} */
export function compare(store: string, id: number, answer: Answer, version = 0): void {
  if (isValue(answer, id, version)) return;
  throw WrongAnswer.from(store, keyOf(id), 'before anything was timed');
}

export function isValue(answer: Answer, id: number, version: number): boolean {
  if (answer === null || answer === undefined) return false;
  return bytesOf(id, version).equals(new Uint8Array(answer.buffer, answer.byteOffset, answer.byteLength));
}

function ends(answer: NonNullable<Answer>, id: number): boolean {
  const [first, last] = [elementOf(id, 0, 0), elementOf(id, 0, DIMENSIONS - 1)];
  if (!(answer instanceof Uint8Array)) return answer[0] === first && answer[DIMENSIONS - 1] === last;
  return answer.length === VALUE_BYTES && floatAt(answer, 0) === first && floatAt(answer, VALUE_BYTES - 4) === last;
}

/** The memory of a Buffer need not be aligned. */
function floatAt(bytes: Uint8Array, at: number): number {
  for (let i = 0; i < 4; i++) view.setUint8(i, bytes[at + i] as number);
  return view.getFloat32(0, true);
}
