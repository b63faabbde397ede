// wrong-answer.mts — the end of a run: a store answered something that was never stored under the key.

export class WrongAnswer extends Error {
  override readonly name = 'WrongAnswer';

  static from(store: string, key: string, occasion: string): WrongAnswer {
    return new WrongAnswer(`WRONG ANSWER from ${store} for key "${key}" (${occasion}). No figure of this run counts.`);
  }
}
