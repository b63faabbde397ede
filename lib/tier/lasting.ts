// lasting.ts: which keys of a tier have no time to live in Redis. They are read by a plain MGET: to ask what is left of
// their time takes a script, which costs Redis as much as the value.
//
// Redis knows how many of its keys expire. If none does, every key lasts, but for those that have changed since Redis was
// asked: Redis tells of each change, or it was our own. A change that is told just behind the reply to a read closes that
// read's fence, or empties L0 (tier.ts), so a key that began to expire meanwhile does not stay.

import { now } from '../base/time.js';
import type { Link } from './link.js';

/** Keys that have changed. If there are more, Redis is asked anew. */
const CHANGED_MAX = 10_000;

/** Between two questions, at least. */
const ASK_EVERY_MS = 5_000;

export class Lasting {
  readonly #link: Link;
  readonly #changed = new Set<string>();
  #isKnown = false; // every key lasts but `changed`
  #asking = 0; // which question is under way; 0: none
  #questions = 0;
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(link: Link) {
    this.#link = link;
  }

  /** Whether these last. False too if that is not known. */
  includes(all: readonly { readonly id: string }[]): boolean {
    if (!this.#isKnown) {
      if (now() - this.#askedAt >= ASK_EVERY_MS) this.ask();
      return false;
    }
    return this.#changed.size === 0 || !all.some(({ id }) => this.#changed.has(id));
  }

  /** The key may expire from now on: it was changed, or is about to be. */
  changed(id: string): void {
    if (!this.#isKnown && this.#asking === 0) return;
    if (this.#changed.add(id).size > CHANGED_MAX) this.forget();
  }

  /** Changes may have been missed. */
  forget(): void {
    this.#isKnown = false;
    this.#asking = 0;
    this.#changed.clear();
  }

  /** Asks Redis. What it was sent before is done by then. */
  ask(): void {
    this.forget();
    this.#askedAt = now();
    const question = ++this.#questions;
    this.#asking = question;
    this.#link.lasts().then(
      (lasts) => this.#answered(question, lasts),
      () => this.#answered(question, false),
    );
  }

  #answered(question: number, lasts: boolean): void {
    if (this.#asking !== question) return;
    this.#asking = 0;
    this.#isKnown = lasts;
  }
}
