// rules.ts: applies the options of a fingerprint to a value: to its texts, its members, its bytes.

import { booleanOption, countOption, isWellFormed, rangeError, typeError } from '../base/options.js';
import { type CanonicalRules, canonicalJson } from './canonical.js';
import type { Field } from './explain.js';
import { concat, framed, utf8 } from './framing.js';
import { hexOf } from './names.js';
import { isPlain } from './plain.js';
import { bytesHead, type Nans, NO_NANS, rawBytesOf, type Tensor, tensorHead, tensorOf } from './tensors.js';

export interface FingerprintOptions {
  /** Normalizes all texts, so that texts which look the same are the same. Default: none; each code point counts. */
  normalization?: 'NFC' | 'NFD' | 'NFKC' | 'NFKD' | undefined;
  /** Names of members that do not count: those of `params`, and of an input that is an object. */
  exclude?: readonly string[] | undefined;
  /** Keeps digests of the single fields, for {@link explain}. A batch keeps none. */
  explain?: boolean | undefined;
  /**
   * How many values an input may contain: each member, each element and each key of a Map counts. 1 to 2 ** 32, default
   * 1 000 000. A value takes some 50 ns. Parameters and a model may contain as many, and 1 000 000 in any case.
   */
  maxNodes?: number | undefined;
  /** How deep objects and arrays may lie within each other: 1 to 1 000, default 500. For parameters as `maxNodes`. */
  maxDepth?: number | undefined;
}

/** A text, and its kind. */
interface TextValue {
  readonly text: string;
}

/** Data, and their head. */
interface DataValue {
  readonly head: Uint8Array;
  readonly data: Uint8Array;
  /** Bytes of the data when the head was made. */
  readonly bytes: number;
  readonly nans: Nans;
}

/** An input as it is hashed. */
export type Value = TextValue | DataValue;

type Path = () => string;
type Digest = (data: Uint8Array, nans: Nans) => Uint8Array;

export const TEXT = 's'.charCodeAt(0);
/** JSON has its head already. */
const NO_HEAD = new Uint8Array(0);
const NORMALIZATIONS = ['NFC', 'NFD', 'NFKC', 'NFKD'];
const NODES_DEFAULT = 1_000_000;
const NODES_MAX = 2 ** 32;
const DEPTH_DEFAULT = 500;
const DEPTH_MAX = 1000; // each level takes some 300 bytes of the stack

export class Rules implements CanonicalRules {
  readonly maxNodes: number;
  readonly maxDepth: number;
  readonly explain: boolean;
  /** Names, normalized. */
  readonly excluded: ReadonlySet<string>;
  readonly #normalization: string | undefined;
  readonly #digest: Digest;

  constructor(options: unknown, digest: Digest) {
    if (typeof options !== 'object' || options === null) throw typeError('options', 'an object', options);
    const normalization = ownMember(options, 'normalization');
    const exclude = ownMember(options, 'exclude', []);
    const explain = ownMember(options, 'explain', false);
    const maxNodes = ownMember(options, 'maxNodes', NODES_DEFAULT);
    const maxDepth = ownMember(options, 'maxDepth', DEPTH_DEFAULT);
    if (normalization !== undefined && !NORMALIZATIONS.includes(normalization as string))
      throw rangeError('options.normalization', `one of ${NORMALIZATIONS.join(', ')}`, normalization);
    this.maxNodes = countOption('options.maxNodes', maxNodes, 1, NODES_MAX);
    this.maxDepth = countOption('options.maxDepth', maxDepth, 1, DEPTH_MAX);
    this.explain = booleanOption('options.explain', explain);
    this.#normalization = normalization as string | undefined;
    this.#digest = digest;
    const names: readonly unknown[] = Array.isArray(exclude) ? [...exclude] : [undefined];
    if (!names.every((name) => typeof name === 'string'))
      throw typeError('options.exclude', 'an array of names', exclude);
    this.excluded = new Set(names.map((name) => this.text(name)));
  }

  /** The rules for model and parameters. The program gives them, so a limit below the default does not apply. */
  get forIdentity(): Rules {
    if (this.maxNodes >= NODES_DEFAULT && this.maxDepth >= DEPTH_DEFAULT) return this;
    const options: FingerprintOptions = {
      exclude: [...this.excluded],
      explain: this.explain,
      maxNodes: Math.max(this.maxNodes, NODES_DEFAULT),
      maxDepth: Math.max(this.maxDepth, DEPTH_DEFAULT),
    };
    return new Rules({ ...options, normalization: this.#normalization }, this.#digest);
  }

  text(text: string): string {
    return this.#normalization === undefined ? text : text.normalize(this.#normalization);
  }

  digest(of: Uint8Array | Tensor): string {
    return hexOf('dtype' in of ? this.#digest(of.bytes, of.nans) : this.#digest(of, NO_NANS));
  }

  valueOf(value: unknown, path: Path): Value {
    if (typeof value === 'string') {
      if (!isWellFormed(value)) throw typeError(path(), 'text without lone surrogates', value);
      return { text: this.text(value) };
    }
    if (typeof value === 'object' && value !== null) {
      const tensor = tensorOf(value, path);
      if (tensor !== undefined) return dataValue(tensorHead(tensor), tensor.bytes, tensor.nans);
      const bytes = rawBytesOf(value, path);
      if (bytes !== undefined) return dataValue(bytesHead(bytes), bytes, NO_NANS);
    }
    return dataValue(NO_HEAD, canonicalJson(value, path, this, this.excluded), NO_NANS);
  }

  /** The value as bytes, for the start that all inputs share. Data count by their digests, as within objects. */
  bytesOf(value: unknown, path: Path, excluded?: ReadonlySet<string>): Uint8Array {
    if (typeof value !== 'string') return canonicalJson(value, path, this, excluded);
    if (!isWellFormed(value)) throw typeError(path(), 'text without lone surrogates', value);
    return concat([Uint8Array.of(TEXT), framed(utf8(this.text(value)))]);
  }

  /** The digests that `explain` compares. */
  fieldOf(value: unknown, path: string, excluded?: ReadonlySet<string>): Field {
    const whole = this.#digestOf(value, path, excluded);
    if (typeof value !== 'object' || value === null) return { digest: whole };
    if (!(Array.isArray(value) || (isPlain(value) && tensorOf(value, () => path) === undefined)))
      return { digest: whole };
    const members = new Map<string, string>();
    for (const [name, each] of Object.entries(value))
      if (excluded?.has(this.text(name)) !== true) members.set(name, this.#digestOf(each, `${path}.${name}`));
    return { digest: whole, members };
  }

  #digestOf(value: unknown, path: string, excluded?: ReadonlySet<string>): string {
    return this.digest(this.bytesOf(value, () => path, excluded));
  }
}

/** An own member. A bug elsewhere may have put others on Object.prototype. */
export function ownMember(of: object, name: string, fallback?: unknown): unknown {
  const member = Object.hasOwn(of, name) ? (of as Record<string, unknown>)[name] : undefined;
  return member === undefined ? fallback : member;
}

function dataValue(head: Uint8Array, data: Uint8Array, nans: Nans): DataValue {
  return { head, data, bytes: data.length, nans };
}

export function checkLength({ data, bytes }: DataValue, path: Path): void {
  if (data.length !== bytes) throw typeError(path(), 'memory that stays while it is hashed', data);
}
