// embeddings.ts: keeps arrays of numbers that libraries give as vectors of float32, all of one length.

import { CacheError } from '../base/errors.js';
import { typedArrayName } from '../base/kinds.js';
import { isWellFormed, received, typeError } from '../base/options.js';

/** After so many vectors of one length, earlier ones do not count any more. */
const SEEN_MAX = 1000;

/**
 * Checks the texts that a caller wants embedded, and returns whether all have a fingerprint: none has a lone surrogate.
 *
 * @throws {TypeError} they are not an array of strings. @internal
 */
export function areWellFormed(name: string, texts: readonly string[]): boolean {
  if (!Array.isArray(texts)) throw typeError(name, 'an array of strings', texts);
  for (const [i, text] of texts.entries()) checkText(`${name}[${i}]`, text);
  return texts.every(isWellFormed);
}

/** @internal */
export function checkText(name: string, text: unknown): void {
  if (typeof text !== 'string') throw typeError(name, 'a string', text);
}

/**
 * Vectors of one model. A provider that fails now and then gives an empty vector, or a short one, among good ones. If
 * it were kept, it would be served for ever. The length that most vectors have is taken for the right one. A text whose
 * vector has another length gets an error in the place of the vector.
 *
 * @internal
 */
export class Vectors {
  readonly #forget: () => void;
  #length = 0;
  #seen = 0;

  /** @param forget  called when kept vectors may have the wrong length. */
  constructor(forget: () => void) {
    this.#forget = forget;
  }

  /**
   * A vector for each text. If it is not an array of finite numbers, or has the wrong length, a CacheError that names
   * the text is in its place.
   */
  of(embeddings: unknown, texts: readonly string[]): (Float32Array | CacheError)[] {
    if (!Array.isArray(embeddings)) throw resultError(`expected an array of vectors, received ${received(embeddings)}`);
    if (embeddings.length !== texts.length)
      throw resultError(`expected ${texts.length} vectors, received ${embeddings.length}`);
    const vectors = texts.map((text, i) => vectorOf(embeddings[i], text));
    const length = this.#vote(vectors.flatMap((one) => (one instanceof CacheError ? [] : one.length)));
    return vectors.map((one, i) => {
      if (one instanceof CacheError || one.length === length) return one;
      const expected = length === undefined ? 'vectors of one length' : `${length} numbers, as for other texts`;
      return resultError(`${nameOf(texts[i]!)}: expected ${expected}, received ${one.length}`);
    });
  }

  /** The right length; undefined if as many vectors have another one. */
  #vote(lengths: readonly number[]): number | undefined {
    const votes = new Map<number, number>();
    if (this.#seen > 0) votes.set(this.#length, this.#seen);
    for (const length of lengths) votes.set(length, (votes.get(length) ?? 0) + 1);
    if (votes.size === 0) return undefined;
    const most = Math.max(...votes.values());
    const leaders = [...votes.keys()].filter((length) => votes.get(length) === most);
    const winner = leaders.length === 1 ? leaders[0] : undefined;
    if (this.#seen > 0 && winner !== this.#length) this.#forget();
    this.#length = winner ?? 0;
    this.#seen = winner === undefined ? 0 : Math.min(most, SEEN_MAX);
    return winner;
  }
}

function vectorOf(embedding: unknown, text: string): Float32Array | CacheError {
  const kind = typedArrayName(embedding);
  if (!Array.isArray(embedding) && kind !== 'Float32Array' && kind !== 'Float64Array')
    return resultError(`${nameOf(text)}: expected an array of numbers, received ${received(embedding)}`);
  const numbers = embedding as ArrayLike<unknown>;
  if (numbers.length === 0) return resultError(`${nameOf(text)}: expected an array of numbers, received an empty one`);
  const vector = new Float32Array(numbers.length);
  for (let i = 0; i < vector.length; ++i) {
    const number = numbers[i];
    if (typeof number === 'number' && Number.isFinite(Math.fround(number))) vector[i] = number;
    else return resultError(`${nameOf(text)}: expected numbers that float32 can hold, received ${received(number)}`);
  }
  return vector;
}

/** So many characters of a text are shown in an error. */
function nameOf(text: string): string {
  return `the embedding of ${JSON.stringify(text.length > 60 ? `${text.slice(0, 60)}…` : text)}`;
}

function resultError(message: string): CacheError {
  return new CacheError('ERR_MODEL_RESULT', message);
}

/** The vector as the libraries want it: an array that belongs to the caller. @internal */
export function numbersOf(vector: ArrayLike<number>): number[] {
  return Array.from(vector);
}
