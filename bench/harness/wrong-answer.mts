// wrong-answer.mts — the end of a run: a store answered something that was never stored under the key.

export { WrongAnswer } from '#cli/bench-measure';
