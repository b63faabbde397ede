// canonical.ts: values as JSON, each written in one way (RFC 8785), with forms for values that JSON lacks:
//
//   undefined  {"$undefined":true}      NaN, Infinity  {"$number":"NaN"}     bigint   {"$bigint":"12"}
//   Date       {"$date":"2026-…Z"}      Map            {"$map":[[k,v],…]}    Set      {"$set":[…]}
//   bytes      {"$bytes":"digest"}      tensor         {"$tensor":["float32",[2,3],"digest"]}
//
// A member whose own name begins with `$` gets another `$` before it, so nothing else looks like such a form. The order
// of Map and Set counts, because iterating over them shows it. The order of an object's members does not. -0 is 0.
//
// Numbers and strings are written as by JSON.stringify, on which RFC 8785 is based. Libraries for it were tried: they
// leave an object with a member `toJSON` unsorted, and everything in it (D51 in docs/DECISIONS.md).
//
// One walk reads each member and each element once, and writes its bytes at once. Its time is proportional to the
// input, whatever its shape: no kind of object is recognised by an exception, and paths are made only for errors.

import { isWellFormed, rangeError, typeError } from '../base/options.js';
import { hasMembers } from './arrays.js';
import { Output } from './output.js';
import { builtInOf, isArrayPrototype, isBuiltInPrototype, isPlain, isPlainPrototype } from './plain.js';
import { fits, type Shape, shapeOf } from './shapes.js';
import { rawBytesOf, type Tensor, tensorOf, tensorOfParts } from './tensors.js';

export interface CanonicalRules {
  /** How many values an input may have within it, and how deep. */
  readonly maxNodes: number;
  readonly maxDepth: number;
  /** Digests in hex, for data within objects. */
  digest(bytes: Uint8Array | Tensor): string;
  text(text: string): string;
}

const NONE: ReadonlySet<string> = new Set();
const JSON_KIND = 'j'.charCodeAt(0);

const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;

const dateText = Date.prototype.toISOString;
const dateTime = Date.prototype.getTime;
const eachOfMap = Map.prototype.forEach;
const eachOfSet = Set.prototype.forEach;

/**
 * The value's JSON, as `"j" ‖ string(JSON)` (docs/FINGERPRINT.md). `excluded`: members of the value itself that do not
 * count.
 */
export function canonicalJson(
  value: unknown,
  path: () => string,
  rules: CanonicalRules,
  excluded: ReadonlySet<string> = NONE,
): Uint8Array {
  const out = new Output();
  new Writer(out, rules, path).write(value, 0, excluded);
  return out.end(JSON_KIND);
}

class Writer {
  readonly #out: Output;
  readonly #rules: CanonicalRules;
  readonly #root: () => string;
  /** Where the walk is: for each depth, the object, and the member or element that is being written. */
  readonly #within: object[] = [];
  readonly #place: (string | number)[] = [];
  /** For each depth, the shapes of the last objects there. Often two shapes take turns. */
  readonly #shapes: (Shape | undefined)[] = [];
  readonly #olderShapes: (Shape | undefined)[] = [];
  /** How many more values are allowed. */
  #left: number;

  constructor(out: Output, rules: CanonicalRules, root: () => string) {
    this.#out = out;
    this.#rules = rules;
    this.#root = root;
    this.#left = rules.maxNodes;
  }

  /** @param depth  how many objects the value is in */
  write(value: unknown, depth: number, excluded: ReadonlySet<string> = NONE): void {
    if (--this.#left < 0) throw this.#tooMany(depth);
    switch (typeof value) {
      case 'string':
        if (!this.#out.plainText(value)) this.#text(value, depth);
        return;
      case 'number':
        if (value - value === 0) this.#out.number(value);
        else this.#out.ascii(`{"$number":"${value}"}`);
        return;
      case 'boolean':
        this.#out.ascii(value ? 'true' : 'false');
        return;
      case 'object':
        if (value === null) this.#out.ascii('null');
        else this.#object(value, depth, excluded);
        return;
      case 'undefined':
        this.#out.ascii('{"$undefined":true}');
        return;
      case 'bigint':
        this.#out.ascii(`{"$bigint":"${value}"}`);
        return;
      default:
        throw typeError(this.#pathTo(depth), 'a value that can be hashed', value);
    }
  }

  #text(text: string, depth: number): void {
    if (!isWellFormed(text)) throw typeError(this.#pathTo(depth), 'text without lone surrogates', text);
    this.#out.text(this.#rules.text(text));
  }

  #object(value: object, depth: number, excluded: ReadonlySet<string>): void {
    if (depth >= this.#rules.maxDepth) throw this.#tooDeep(value, depth);
    this.#within[depth] = value;
    const prototype: object | null = Object.getPrototypeOf(value);
    if (Array.isArray(value)) this.#array(value, prototype, depth);
    else if (prototype === Object.prototype || (isPlainPrototype(prototype) && isPlain(value)))
      this.#members(value as Record<string, unknown>, depth, excluded);
    else this.#instance(value, prototype, depth);
  }

  #array(value: readonly unknown[], prototype: object | null, depth: number): void {
    const { length } = value;
    if (!isArrayPrototype(prototype) || hasMembers(value)) throw this.#noArray(value, depth);
    const out = this.#out;
    out.byte(OPEN_ARRAY);
    for (let i = 0; i < length; ++i) {
      if (i > 0) out.byte(COMMA);
      this.#place[depth] = i;
      const each = value[i];
      if (each === undefined && !Object.hasOwn(value, i)) throw this.#noArray(value, depth);
      this.write(each, depth + 1);
    }
    out.byte(CLOSE_ARRAY);
  }

  #noArray(value: object, depth: number): TypeError {
    return typeError(this.#pathTo(depth), 'an array without holes or members, of no subclass', value);
  }

  #members(value: Record<string, unknown>, depth: number, excluded: ReadonlySet<string>): void {
    this.#refuseSymbols(value, depth);
    const shape = this.#shapeOf(Object.keys(value), depth, excluded);
    if (shape.tensor === undefined) this.#membersBy(shape, value, depth);
    else this.#tensorOrMembers(value, shape, depth);
  }

  #membersBy({ sorted, written }: Shape, value: Record<string, unknown>, depth: number): void {
    const out = this.#out;
    out.byte(OPEN);
    for (let i = 0; i < sorted.length; ++i) {
      if (i > 0) out.byte(COMMA);
      const name = sorted[i]!;
      if (!out.plainText(written[i]!)) out.text(written[i]!);
      out.byte(COLON);
      this.#place[depth] = name;
      this.write(value[name], depth + 1);
    }
    out.byte(CLOSE);
  }

  #shapeOf(names: readonly string[], depth: number, excluded: ReadonlySet<string>): Shape {
    const last = this.#shapes[depth];
    if (last !== undefined && fits(last, names)) return last;
    const older = this.#olderShapes[depth];
    const shape =
      older !== undefined && fits(older, names)
        ? older
        : shapeOf(names, this.#rules, excluded, () => this.#pathTo(depth));
    this.#olderShapes[depth] = last;
    this.#shapes[depth] = shape;
    return shape;
  }

  /**
   * An object with the names of a tensor. It may be a tensor, or another object. Its members are read once for both.
   */
  #tensorOrMembers(value: Record<string, unknown>, shape: Shape, depth: number): void {
    const parts: Record<string, unknown> = {};
    for (const name of shape.names) parts[name] = value[name];
    const [type, dims] = shape.tensor === 'dtype' ? ['dtype', 'shape'] : ['type', 'dims'];
    const tensor = tensorOfParts(parts[type!], parts[dims!], parts['data'], () => this.#pathTo(depth));
    if (tensor !== undefined) this.#tensor(tensor);
    else this.#membersBy(shape, parts, depth);
  }

  #tensor(tensor: Tensor): void {
    const { dtype, shape } = tensor;
    this.#out.ascii(`{"$tensor":["${dtype}",[${shape.join(',')}],"${this.#rules.digest(tensor)}"]}`);
  }

  /** An instance of a class: a tensor, bytes, a Date, a Map, a Set. */
  #instance(value: object, prototype: object | null, depth: number): void {
    const path = () => this.#pathTo(depth);
    const tensor = tensorOf(value, path);
    if (tensor !== undefined) {
      this.#tensor(tensor);
      return;
    }
    const bytes = rawBytesOf(value, path);
    if (bytes !== undefined) {
      this.#out.ascii(`{"$bytes":"${this.#rules.digest(bytes)}"}`);
      return;
    }
    const kind = builtInOf(value);
    if (kind === undefined) throw typeError(path(), 'a plain object, or one of the kinds that can be hashed', value);
    // An instance of the caller's class, or with members of its own: nobody can say what counts.
    if (!isBuiltInPrototype(prototype) || Object.keys(value).length > 0)
      throw typeError(path(), `a ${kind} with no members of its own`, value);
    this.#refuseSymbols(value, depth);
    if (kind === 'Date') this.#date(value, depth);
    else if (kind === 'Set') this.#set(value, depth);
    else this.#map(value, depth);
  }

  #date(value: object, depth: number): void {
    if (Number.isNaN(dateTime.call(value as Date))) throw typeError(this.#pathTo(depth), 'a valid Date', value);
    this.#out.ascii(`{"$date":"${dateText.call(value as Date)}"}`);
  }

  #set(value: object, depth: number): void {
    const out = this.#out;
    let i = 0;
    out.ascii('{"$set":[');
    eachOfSet.call(value as Set<unknown>, (each) => {
      if (i > 0) out.byte(COMMA);
      this.#place[depth] = `value(${i++})`;
      this.write(each, depth + 1);
    });
    out.ascii(']}');
  }

  #map(value: object, depth: number): void {
    const out = this.#out;
    let i = 0;
    out.ascii('{"$map":[');
    eachOfMap.call(value as Map<unknown, unknown>, (each, key) => {
      out.ascii(i > 0 ? ',[' : '[');
      this.#place[depth] = `key(${i})`;
      this.write(key, depth + 1);
      out.byte(COMMA);
      this.#place[depth] = `value(${i++})`;
      this.write(each, depth + 1);
      out.byte(CLOSE_ARRAY);
    });
    out.ascii(']}');
  }

  #refuseSymbols(value: object, depth: number): void {
    const symbols = Object.getOwnPropertySymbols(value);
    if (symbols.length > 0) throw typeError(this.#pathTo(depth), 'members with names', symbols[0]);
  }

  /** The path of the value that is `depth` objects deep. */
  #pathTo(depth: number): string {
    let path = this.#root();
    for (const place of this.#place.slice(0, depth)) path += typeof place === 'number' ? `[${place}]` : `.${place}`;
    return path;
  }

  #tooMany(depth: number): RangeError {
    const { maxNodes } = this.#rules;
    return rangeError(
      this.#root(),
      `at most ${maxNodes} values (option maxNodes), by ${this.#pathTo(depth)}`,
      maxNodes + 1,
    );
  }

  /** An object that contains itself has no end, so it always reaches this depth. Here it is recognised. */
  #tooDeep(value: object, depth: number): Error {
    this.#within[depth] = value;
    const seen = new Set<object>();
    for (let i = 0; i <= depth; ++i) {
      const each = this.#within[i]!;
      if (seen.has(each)) return typeError(this.#pathTo(i), 'no object within itself', each);
      seen.add(each);
    }
    const { maxDepth } = this.#rules;
    return rangeError(this.#root(), `at most ${maxDepth} levels (option maxDepth)`, maxDepth + 1);
  }
}
