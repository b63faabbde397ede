// right.mts — what an operation says before it is timed: this answer is the right one.

import { WrongAnswer } from '../harness/wrong-answer.mjs';

/** @throws {WrongAnswer} it is not. */
export function expectRight(right: boolean, what: string): void {
  if (!right) throw new WrongAnswer(`WRONG ANSWER of ${what}. No figure of this run counts.`);
}
