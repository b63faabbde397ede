// canonical.ts: objects as text, one way to write each (RFC 8785), with forms for what JSON has not:
//
//   undefined  {"$undefined":true}      NaN, Infinity  {"$number":"NaN"}     bigint   {"$bigint":"12"}
//   Date       {"$date":"2026-…Z"}      Map            {"$map":[[k,v],…]}    Set      {"$set":[…]}
//   bytes      {"$bytes":"digest"}      tensor         {"$tensor":["float32",[2,3],"digest"]}
//
// A member whose own name begins with `$` gets another one before it, so nothing else looks like such a form. The order
// of Map and Set counts, as it does to who iterates over them; that of an object's members does not. -0 is 0.

import { canonicalize } from 'json-canonicalize';
import { isWellFormed, typeError } from '../options.js';
import { rawBytesOf, type Tensor, tensorOf } from './tensors.js';

export interface CanonicalRules {
  /** Digests in hex, for data within objects. */
  digest(bytes: Uint8Array | Tensor): string;
  text(text: string): string;
}

export function canonicalText(value: unknown, path: string, rules: CanonicalRules): string {
  return canonicalize(formOf(value, path, rules, []));
}

function formOf(value: unknown, path: string, rules: CanonicalRules, within: object[]): unknown {
  switch (typeof value) {
    case 'string':
      return textOf(value, path, rules);
    case 'boolean':
      return value;
    case 'number':
      return Number.isFinite(value) ? value : { $number: String(value) };
    case 'bigint':
      return { $bigint: String(value) };
    case 'undefined':
      return { $undefined: true };
    case 'object':
      return value === null ? null : objectForm(value, path, rules, within);
    default:
      throw typeError(path, 'a value that can be hashed', value);
  }
}

function textOf(text: string, path: string, rules: CanonicalRules): string {
  if (!isWellFormed(text)) throw typeError(path, 'text without lone surrogates', text);
  return rules.text(text);
}

function objectForm(value: object, path: string, rules: CanonicalRules, within: object[]): unknown {
  if (within.includes(value)) throw typeError(path, 'no object within itself', value);
  const inner = [...within, value];
  if (Array.isArray(value)) return Array.from(value, (each, i) => formOf(each, `${path}[${i}]`, rules, inner));
  if (value instanceof Date) {
    if (Number.isNaN(value.getTime())) throw typeError(path, 'a valid Date', value);
    return { $date: value.toISOString() };
  }
  if (value instanceof Map)
    return {
      $map: Array.from(value, ([key, each], i) => [
        formOf(key, `${path}.key(${i})`, rules, inner),
        formOf(each, `${path}.value(${i})`, rules, inner),
      ]),
    };
  if (value instanceof Set)
    return { $set: Array.from(value, (each, i) => formOf(each, `${path}.value(${i})`, rules, inner)) };
  const tensor = tensorOf(value, path);
  if (tensor !== undefined) return { $tensor: [tensor.dtype, tensor.shape, rules.digest(tensor)] };
  const bytes = rawBytesOf(value, path);
  if (bytes !== undefined) return { $bytes: rules.digest(bytes) };
  const prototype: unknown = Object.getPrototypeOf(value);
  if (prototype !== null && Object.getPrototypeOf(prototype) !== null)
    throw typeError(path, 'a plain object, or one of the kinds that can be hashed', value);
  const form: Record<string, unknown> = Object.create(null);
  for (const symbol of Object.getOwnPropertySymbols(value))
    if (Object.prototype.propertyIsEnumerable.call(value, symbol)) throw typeError(path, 'members with names', symbol);
  for (const name of Object.keys(value)) {
    const written = textOf(name, `${path}.${name}`, rules);
    const escaped = written.startsWith('$') ? `$${written}` : written;
    if (escaped in form) throw typeError(path, 'names that stay different when they are normalized', name);
    form[escaped] = formOf((value as Record<string, unknown>)[name], `${path}.${name}`, rules, inner);
  }
  return form;
}
