// options.ts: what a user may write as an option, and the words for what cannot be one.
//
// `optionsObject` reads each option once: getters and proxies may answer otherwise the next time. It reads own members
// only: what a bug elsewhere put on Object.prototype is no option. The other functions judge one value each. They name
// the option as the caller wrote it, and throw TypeError for the wrong type and RangeError for the wrong value, with
// the codes that Node's own functions use.
import { hasPlainPrototype, isRootPrototype } from './kinds.js';

type SizeUnit = 'B' | `${'K' | 'M' | 'G' | 'T'}${'' | 'B' | 'iB'}`;

/** A size as text: a number and a unit, in upper or in lower case. */
export type SizeText = `${number}${'' | ' '}${SizeUnit | Lowercase<SizeUnit>}`;

/** A duration as text: a number and a unit. */
export type DurationText = `${number}${'' | ' '}${'ms' | 's' | 'm' | 'h' | 'd'}`;

/** `Text`, if it is a `string` that is known at run time only, as from `process.env`; or else one of `Valid`. */
type Spelled<Text extends string, Valid extends string> = string extends Text
  ? string
  : Text extends Valid
    ? Text
    : Valid;

/**
 * A number of bytes, or a text such as `'256MB'`, `'4GiB'`, `'512K'`. All units are powers of 1 024: MB and MiB are the
 * same. `Size<string>` takes any string, which is checked at run time.
 */
export type Size<Text extends string = SizeText> = number | Spelled<Text, SizeText>;

/**
 * A number of milliseconds, or a text such as `'250ms'`, `'30s'`, `'10m'`, `'1.5h'`, `'2d'`. Infinity: for ever.
 * `Duration<string>` takes any string, which is checked at run time.
 */
export type Duration<Text extends string = DurationText> = number | Spelled<Text, DurationText>;

/** Options that were checked: each has a value. */
export type Checked<Options> = { [Name in keyof Options]-?: Exclude<Options[Name], undefined> };

const SIZE_UNITS: Record<string, number> = { '': 1, K: 2 ** 10, M: 2 ** 20, G: 2 ** 30, T: 2 ** 40 };

const DURATION_UNITS_MS: Record<string, number> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Ten years of 365 days: what lives longer has no ttl. */
export const DURATION_MS_MAX = 3650 * 86_400_000;

export const TAGS_MAX = 16; // of one entry
const TAG_BYTES_MAX = 255; // a length of one byte

/** What was received, in a few words: never a whole object in a message. */
export function received(value: unknown): string {
  if (typeof value === 'string') return `string ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return `${typeof value} ${value}`;
  return kindOf(value);
}

function kindOf(value: unknown): string {
  if (value === null) return 'null';
  return typeof value === 'object' ? `an instance of ${classOf(value)}` : typeof value;
}

/** A mistake is named even if the object that is one throws when it is looked at, or calls itself a symbol. */
function classOf(value: object): string {
  try {
    const name: unknown = value.constructor?.name;
    return typeof name === 'string' && name !== '' ? name.slice(0, 40) : 'Object';
  } catch {
    return 'Object';
  }
}

export function typeError(name: string, expected: string, value: unknown): TypeError {
  return Object.assign(new TypeError(`${name}: expected ${expected}, received ${received(value)}`), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
}

/** For a value that may hold a password: the message has its type alone. */
export function secretTypeError(name: string, expected: string, value: unknown): TypeError {
  return Object.assign(new TypeError(`${name}: expected ${expected}, received ${kindOf(value)}`), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
}

export function rangeError(name: string, expected: string, value: unknown): RangeError {
  return Object.assign(new RangeError(`${name}: expected ${expected}, received ${received(value)}`), {
    code: 'ERR_OUT_OF_RANGE',
  });
}

/** `value` in whole bytes between `least` and `most`. */
export function sizeOption(name: string, value: unknown, least: number, most: number): number {
  const bytes = typeof value === 'string' ? parseSize(value) : value;
  if (typeof bytes !== 'number')
    throw typeError(
      name,
      "a number of bytes or a size such as '256MB' (units: B, KB, MB, GB, TB; KiB, K and so on)",
      value,
    );
  if (!(bytes >= least && bytes <= most)) throw rangeError(name, `${least} to ${most} bytes`, value);
  return Math.floor(bytes);
}

function parseSize(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(?:([KMGT])(?:i?B)?|B)\s*$/i.exec(text);
  return match ? Number(match[1]) * SIZE_UNITS[match[2]?.toUpperCase() ?? '']! : undefined;
}

/** `value` in whole milliseconds between `least` and `most`, or Infinity, which stays. */
export function durationOption(name: string, value: unknown, least = 1, most = DURATION_MS_MAX): number {
  const ms = typeof value === 'string' ? parseDuration(value) : value;
  if (typeof ms !== 'number')
    throw typeError(name, "a number of milliseconds or a duration such as '10m' (units: ms, s, m, h, d)", value);
  if (ms === Number.POSITIVE_INFINITY) return ms;
  if (!(ms >= least && ms <= most)) throw rangeError(name, `${least} to ${most} ms, or Infinity`, value);
  return Math.floor(ms);
}

const WAIT_MS_MAX = 2 ** 31 - 1; // of a timer

/** `value` in whole milliseconds that a timer can wait: 24 days at most, and not Infinity. */
export function waitOption(name: string, value: unknown): number {
  const ms = durationOption(name, value, 0, WAIT_MS_MAX);
  if (ms === Number.POSITIVE_INFINITY) throw rangeError(name, `0 to ${WAIT_MS_MAX} ms`, value);
  return ms;
}

/** Units in lower case only: M might as well be months. */
function parseDuration(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*(ms|[smhd])\s*$/.exec(text);
  const ms = match ? Number(match[1]) * DURATION_UNITS_MS[match[2]!]! : undefined;
  return ms === Number.POSITIVE_INFINITY ? Number.MAX_VALUE : ms; // too many digits are not for ever
}

/** A share of something, 0 to less than 1. */
export function shareOption(name: string, value: unknown): number {
  if (typeof value !== 'number') throw typeError(name, 'a number', value);
  if (!(value >= 0 && value < 1)) throw rangeError(name, 'at least 0 and less than 1', value);
  return value;
}

/** A whole number between `least` and `most`. */
export function countOption(name: string, value: unknown, least: number, most: number): number {
  if (typeof value !== 'number') throw typeError(name, 'a number', value);
  if (!(Number.isInteger(value) && value >= least && value <= most))
    throw rangeError(name, `a whole number from ${least} to ${most}`, value);
  return value;
}

/** A finite number between `least` and `most`, whole or not. */
export function amountOption(name: string, value: unknown, least = 0, most = Number.MAX_SAFE_INTEGER): number {
  if (typeof value !== 'number') throw typeError(name, 'a number', value);
  if (!(value >= least && value <= most)) throw rangeError(name, `a number from ${least} to ${most}`, value);
  return value;
}

/** What an entry cost to make, in ms: 0 or more, and finite as the 32-bit float it is kept as. */
export function costOption(name: string, value: unknown): number {
  if (typeof value !== 'number') throw typeError(name, 'a number', value);
  if (!(value >= 0 && Math.fround(value) < Number.POSITIVE_INFINITY))
    throw rangeError(name, 'a finite number, 0 or more', value);
  return value;
}

export function booleanOption(name: string, value: unknown): boolean {
  if (typeof value !== 'boolean') throw typeError(name, 'true or false', value);
  return value;
}

/** A string without lone surrogates, which UTF-8 cannot carry. */
export function textOption(name: string, value: unknown, bytesMax = 1024, bytesMin = 0): string {
  if (typeof value !== 'string') throw typeError(name, 'a string', value);
  const bytes = Buffer.byteLength(value);
  if (bytes < bytesMin || bytes > bytesMax || !isWellFormed(value)) {
    const limits = bytesMin === 0 ? `at most ${bytesMax}` : `${bytesMin} to ${bytesMax}`;
    throw rangeError(name, `well-formed Unicode of ${limits} bytes`, value);
  }
  return value;
}

/** Whether UTF-8 can carry `text`: no surrogate without its other half. */
export function isWellFormed(text: string): boolean {
  return (text as string & { isWellFormed(): boolean }).isWellFormed(); // of ES2024, and of Node 20
}

/** One tag: 1 to 255 bytes of UTF-8. */
export function tagOption(name: string, value: unknown): string {
  return textOption(name, value, TAG_BYTES_MAX, 1);
}

/** The tags of an entry, each once: at most 16. Each is read once. */
export function tagsOption(name: string, value: unknown): string[] {
  if (!Array.isArray(value)) throw typeError(name, 'an array of strings', value);
  const tags = new Set<string>();
  for (let i = 0, { length } = value; i < length; ++i) {
    tags.add(tagOption(`${name}[${i}]`, value[i]));
    if (tags.size > TAGS_MAX) throw rangeError(`${name}.length`, `at most ${TAGS_MAX} different tags`, length);
  }
  return [...tags];
}

export function choiceOption<T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw typeError(name, choices.map((choice) => `'${choice}'`).join(' or '), value);
  return found;
}

/** A whole number between `least` and `most`, or Infinity, which stays: no limit. */
export function limitOption(name: string, value: unknown, least: number, most: number): number {
  return value === Number.POSITIVE_INFINITY ? value : countOption(name, value, least, most);
}

/** Makes what `optionsObject` gives: objects without Object.prototype behind them, of one shape, as V8 likes them. */
function Own() {}
Own.prototype = Object.create(null);

/**
 * The options that `value` has, copied: those of `known` that are its own members, each read once. What is not there is
 * undefined. `undefined` is no options at all.
 *
 * @param name  of the argument, as errors call it
 * @throws {TypeError} it is no object, or one of a class without members of its own, such as a Promise or a Map; it has
 *   a member that is not known, or inherits an option from a class.
 */
export function optionsObject(name: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  const own = new (Own as unknown as new () => Record<string, unknown>)();
  if (value === undefined) return own;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw typeError(name, 'an object', value);
  const names = Object.keys(value);
  for (let i = 0; i < names.length; ++i)
    if (!known.includes(names[i]!))
      throw typeError(`${name}.${names[i]}`, `one of the options ${known.join(', ')}`, names[i]);
  for (let i = 0; i < known.length; ++i) {
    const option = known[i]!;
    if (Object.hasOwn(value, option)) own[option] = (value as Record<string, unknown>)[option];
  }
  if (!hasPlainPrototype(value)) checkInstance(name, value, names, known);
  return own;
}

/** Options of a class: what it inherits would be left out without a word, such as a `scope`. */
function checkInstance(name: string, value: object, names: readonly string[], known: readonly string[]): void {
  if (names.length === 0) throw typeError(name, 'a plain object', value);
  for (let of = Object.getPrototypeOf(value); of !== null && !isRootPrototype(of); of = Object.getPrototypeOf(of))
    for (const option of known)
      if (Object.hasOwn(of, option) && !Object.hasOwn(value, option))
        throw typeError(`${name}.${option}`, 'a member of the object itself, not of its class', value);
}
