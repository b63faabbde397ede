// canonical.ts: values as text, one way to write each (RFC 8785), with forms for what JSON has not:
//
//   undefined  {"$undefined":true}      NaN, Infinity  {"$number":"NaN"}     bigint   {"$bigint":"12"}
//   Date       {"$date":"2026-…Z"}      Map            {"$map":[[k,v],…]}    Set      {"$set":[…]}
//   bytes      {"$bytes":"digest"}      tensor         {"$tensor":["float32",[2,3],"digest"]}
//
// A member whose own name begins with `$` gets another one before it, so nothing else looks like such a form. The order
// of Map and Set counts, as it does to who iterates over them; that of an object's members does not. -0 is 0.
//
// Numbers and strings are written as JSON.stringify does, which RFC 8785 is made from. The libraries for it were tried:
// they leave what has a member `toJSON` unsorted, and all below it.

import { isWellFormed, rangeError, typeError } from '../options.js';
import { isPlain } from './plain.js';
import { rawBytesOf, type Tensor, tensorOf } from './tensors.js';

export interface CanonicalRules {
  /** Digests in hex, for data within objects. */
  digest(bytes: Uint8Array | Tensor): string;
  text(text: string): string;
}

const DEPTH_MAX = 500;
const NONE: ReadonlySet<string> = new Set();

/** `excluded`: names of members of the value itself that do not count. */
export function canonicalText(
  value: unknown,
  path: string,
  rules: CanonicalRules,
  excluded: ReadonlySet<string> = NONE,
): string {
  return new Writer(rules).textOf(value, path, excluded);
}

class Writer {
  readonly #rules: CanonicalRules;
  readonly #within: object[] = [];

  constructor(rules: CanonicalRules) {
    this.#rules = rules;
  }

  textOf(value: unknown, path: string, excluded: ReadonlySet<string> = NONE): string {
    switch (typeof value) {
      case 'string':
        return this.#quoted(value, path);
      case 'boolean':
        return String(value);
      case 'number':
        return Number.isFinite(value) ? JSON.stringify(value) : `{"$number":"${value}"}`;
      case 'bigint':
        return `{"$bigint":"${value}"}`;
      case 'undefined':
        return '{"$undefined":true}';
      case 'object':
        return value === null ? 'null' : this.#objectText(value, path, excluded);
      default:
        throw typeError(path, 'a value that can be hashed', value);
    }
  }

  #quoted(text: string, path: string): string {
    if (!isWellFormed(text)) throw typeError(path, 'text without lone surrogates', text);
    return JSON.stringify(this.#rules.text(text));
  }

  #objectText(value: object, path: string, excluded: ReadonlySet<string>): string {
    if (this.#within.includes(value)) throw typeError(path, 'no object within itself', value);
    if (this.#within.length === DEPTH_MAX) throw rangeError(path, `at most ${DEPTH_MAX} levels`, DEPTH_MAX + 1);
    this.#within.push(value);
    const text =
      this.#dataText(value, path) ??
      (Array.isArray(value) ? this.#arrayText(value, path) : undefined) ??
      this.#builtInText(value, path) ??
      this.#membersText(value, path, excluded);
    this.#within.pop();
    return text;
  }

  #dataText(value: object, path: string): string | undefined {
    const tensor = tensorOf(value, path);
    if (tensor !== undefined)
      return `{"$tensor":["${tensor.dtype}",[${tensor.shape.join(',')}],"${this.#rules.digest(tensor)}"]}`;
    const bytes = rawBytesOf(value, path);
    return bytes && `{"$bytes":"${this.#rules.digest(bytes)}"}`;
  }

  #arrayText(value: readonly unknown[], path: string): string {
    const { length } = value;
    if (Object.keys(value).length !== length) throw typeError(path, 'an array without holes or members', value);
    let text = '[';
    for (let i = 0; i < length; ++i) text += (i === 0 ? '' : ',') + this.textOf(value[i], `${path}[${i}]`);
    return `${text}]`;
  }

  #builtInText(value: object, path: string): string | undefined {
    const kind = kindOf(value);
    if (kind === undefined) return undefined;
    // Of a class of the caller's, or with members of its own: what of that counts is not known.
    if (!isNoSubclass(value) || Object.keys(value).length > 0)
      throw typeError(path, `a ${kind} with no members of its own`, value);
    if (kind === 'Date') {
      if (Number.isNaN((value as Date).getTime())) throw typeError(path, 'a valid Date', value);
      return `{"$date":"${(value as Date).toISOString()}"}`;
    }
    if (kind === 'Set') {
      const elements = Array.from(value as Set<unknown>, (each, i) => this.textOf(each, `${path}.value(${i})`));
      return `{"$set":[${elements.join(',')}]}`;
    }
    const pairs = Array.from(value as Map<unknown, unknown>, ([key, each], i) => {
      const first = this.textOf(key, `${path}.key(${i})`);
      return `[${first},${this.textOf(each, `${path}.value(${i})`)}]`;
    });
    return `{"$map":[${pairs.join(',')}]}`;
  }

  #membersText(value: object, path: string, excluded: ReadonlySet<string>): string {
    if (!isPlain(value)) throw typeError(path, 'a plain object, or one of the kinds that can be hashed', value);
    for (const symbol of Object.getOwnPropertySymbols(value))
      if (Object.prototype.propertyIsEnumerable.call(value, symbol))
        throw typeError(path, 'members with names', symbol);
    const members = new Map<string, string>();
    for (const name of Object.keys(value)) {
      if (!isWellFormed(name)) throw typeError(`${path}.${name}`, 'text without lone surrogates', name);
      const written = this.#rules.text(name);
      if (excluded.has(written)) continue;
      if (members.has(written)) throw typeError(path, 'names that stay different when they are normalized', name);
      members.set(written, this.textOf((value as Record<string, unknown>)[name], `${path}.${name}`));
    }
    const parts = Array.from(members, ([name, text]): [string, string] => [
      name.startsWith('$') ? `$${name}` : name,
      text,
    ]);
    // By units of UTF-16, as `<` compares strings.
    parts.sort(([a], [b]) => (a < b ? -1 : 1));
    return `{${parts.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`;
  }
}

/** By what the object is, not by what it says of itself; of whatever realm. */
function kindOf(value: object): 'Date' | 'Map' | 'Set' | undefined {
  for (const [kind, probe] of PROBES) {
    try {
      probe.call(value);
      return kind;
    } catch {
      // Not that.
    }
  }
  return undefined;
}

const PROBES = [
  ['Date', Date.prototype.getTime],
  ['Map', Object.getOwnPropertyDescriptor(Map.prototype, 'size')!.get!],
  ['Set', Object.getOwnPropertyDescriptor(Set.prototype, 'size')!.get!],
] as const;

/** Its class is a built-in one: behind it is Object's prototype, and nothing more. */
function isNoSubclass(value: object): boolean {
  const own: object | null = Object.getPrototypeOf(value);
  const base: object | null = own && Object.getPrototypeOf(own);
  return base !== null && Object.getPrototypeOf(base) === null;
}
