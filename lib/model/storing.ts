// storing.ts: results on their way into the cache, and to what lies behind it: whether they may be stored, with which
// tags and for how long, and copies of those that are not stored.

import { isError } from '../base/kinds.js';
import { tagsOption } from '../base/options.js';
import type { Codec } from '../cache/codecs.js';
import type { Fingerprint } from '../fingerprint/fingerprint.js';
import type { Search } from './behind.js';
import type { ComputationParts } from './computations.js';
import type { Copy } from './copies.js';
import type { Flight } from './flights.js';
import type { KeptInputs } from './inputs.js';
import { type Given, type ResultTerms, refusedResult, resultError } from './results.js';

/** Where a result is stored. */
interface Place {
  readonly key: Fingerprint;
  /** The right to give it to what lies behind. */
  readonly search?: Search | undefined;
}

export class Storing<Input, In, Out> {
  readonly #parts: ComputationParts<Input, In, Out>;
  readonly #inputs: KeptInputs<Input>;

  constructor(parts: ComputationParts<Input, In, Out>, inputs: KeptInputs<Input>) {
    this.#parts = parts;
    this.#inputs = inputs;
  }

  /** False: the keyspace was cleared since, by another thread or a client of a server, which knows no flights. */
  isCurrent(flight: Flight<Input, In | Out>): boolean {
    return flight.generation === this.#parts.answers.generation();
  }

  /**
   * Stores what a run gave, unless the keyspace was cleared since it began. Throws if the codec refuses the result. One
   * that is too large for the cache is not stored.
   *
   * @returns whether it is stored
   */
  keep(flight: Flight<Input, In | Out>, given: Given<In>, cost: number): boolean {
    const { key, search } = flight;
    const tags = this.#tagsOf(flight, given);
    try {
      if (!this.isCurrent(flight)) return false;
      const own = given.terms?.tags ?? [];
      if (this.#parts.flights.invalidations.hit(own, flight.invalidations)) return false;
      const { value, terms } = given;
      const stored = this.#store({ key: key as Fingerprint, search }, () => flight.kept, value, tags, cost, terms);
      if (!stored || this.isCurrent(flight)) return stored;
      this.#parts.answers.delete(key); // it was cleared just before
      return false;
    } catch (reason) {
      this.#encoded(given);
      if (isError(reason) && reason.name === 'RangeError') return false;
      throw reason;
    }
  }

  /** Stores a result that was computed elsewhere, in place of another. Returns whether it is stored. */
  set(place: Place, copyOf: () => Copy<Input> | undefined, result: In, tags: readonly string[]): boolean {
    return this.#store(place, copyOf, result, tags, 0);
  }

  /** The same value, in memory of its own. */
  another(value: In | Out): Out {
    return this.#view(this.#parts.codec.encode(value as In));
  }

  /** What would have been stored. Throws if the codec refuses it. */
  copyOf(given: Given<In>): Out {
    return this.#view(this.#encoded(given));
  }

  /** Those of its input, and its own. */
  #tagsOf({ tags }: Flight<Input, In | Out>, { name, terms }: Given<In>): readonly string[] {
    if (terms === undefined || terms.tags.length === 0) return tags;
    if (this.#parts.behind !== undefined)
      throw resultError(`${name()}: expected no tags, because an upstream has none`);
    try {
      return tagsOption('tags', [...tags, ...terms.tags]);
    } catch (cause) {
      throw resultError(`${name()}: ${(cause as Error).message}`, { cause });
    }
  }

  #store(
    { key, search }: Place,
    copyOf: () => Copy<Input> | undefined,
    result: In,
    tags: readonly string[],
    cost: number,
    terms?: ResultTerms,
  ): boolean {
    const { answers, behind, codec, life } = this.#parts;
    const ttl = life.draw(terms?.ttlMs);
    let stored: boolean;
    if (behind === undefined) stored = answers.store(key, result, { ttl, tags, cost });
    else if (search === undefined) stored = behind.write(key, codec.encode(result), ttl, cost);
    else stored = search.give(codec.encode(result), ttl, cost);
    if (stored) this.#inputs.keep(key.hex, key, copyOf);
    return stored;
  }

  #view({ buffer, byteOffset, byteLength }: ArrayBufferView): Out {
    return this.#parts.codec.view(buffer.slice(byteOffset, byteOffset + byteLength), 0, byteLength);
  }

  #encoded(given: Given<In>): ArrayBufferView {
    const { codec } = this.#parts;
    try {
      return codec.encode(given.value);
    } catch (cause) {
      throw refusedResult(given, codec as Codec<never, unknown, unknown>, cause);
    }
  }
}
