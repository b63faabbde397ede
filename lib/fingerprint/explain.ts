// explain.ts: in which fields two computations differ.

import { typeError } from '../base/options.js';
import type { Fingerprint } from './names.js';

/** A field's digest, and those of its members if it is an object. */
export interface Field {
  readonly digest: string;
  readonly members?: ReadonlyMap<string, string>;
}
export type Fields = ReadonlyMap<string, Field>;

/** Of fingerprints that were made with `explain`. @internal */
export const fieldsOf = new WeakMap<Fingerprint, Fields>();

/**
 * The fields in which two computations differ, such as `params.temperature`: `[]` if in none.
 *
 * @throws {TypeError} one of them was not made with `explain: true`.
 */
export function explain(a: Fingerprint, b: Fingerprint): string[] {
  const [of, other] = [a, b].map((one, i) => {
    const fields = fieldsOf.get(one); // undefined for whatever else it may be
    if (fields === undefined)
      throw typeError(i === 0 ? 'a' : 'b', 'a Fingerprint that was made with { explain: true }', one);
    return fields;
  }) as [Fields, Fields];
  const names = new Set([...of.keys(), ...other.keys()]);
  return [...names].flatMap((name) => differing(name, of.get(name), other.get(name))).sort();
}

function differing(name: string, of: Field | undefined, other: Field | undefined): string[] {
  if (of?.digest === other?.digest) return [];
  if (of?.members === undefined || other?.members === undefined) return [name];
  const members = [...new Set([...of.members.keys(), ...other.members.keys()])].filter(
    (member) => of.members!.get(member) !== other.members!.get(member),
  );
  return members.length === 0 ? [name] : members.map((member) => `${name}.${member}`);
}
