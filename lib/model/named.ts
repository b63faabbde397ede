// named.ts: from the inputs that miss to what is run: copies, each with its fingerprint.
//
// An input is named before it is copied, because naming refuses an input that is too large, contains itself, or has no
// fingerprint. The copy is named again if it may differ from what was named.

import type { Fingerprint } from '../fingerprint/fingerprint.js';
import type { Copies } from './copies.js';
import type { Finder, ManyInputs } from './finder.js';

/** The copy of an input that is run, and its fingerprint. Nobody else has the copy, so nobody changes it. */
export interface Named<Input> {
  readonly key: Fingerprint;
  readonly input: Input;
}

type AnyFinder = Pick<Finder<unknown, unknown>, 'name' | 'nameMany'>;

/** @param known  the fingerprint by which the input was looked up */
export function namedCopy<Input>(
  copies: Copies<Input>,
  finder: AnyFinder,
  input: Input,
  known: Fingerprint | undefined,
): Named<Input> {
  const key = known ?? finder.name(input);
  const copy = copies.of(input);
  return { input: copy.input, key: copy.sure ? key : finder.name(copy.input) };
}

/** The copy to compute in the background. Undefined: the input gives another value each time, or fails. */
export function namedAgain<Input>(
  copies: Copies<Input>,
  finder: AnyFinder,
  input: Input,
  key: Fingerprint,
): Named<Input> | undefined {
  try {
    const named = namedCopy(copies, finder, input, key);
    return named.key.hex === key.hex ? named : undefined;
  } catch {
    return undefined;
  }
}

/** Those of the inputs at `places`. @param found  the fingerprints of all inputs, if they were looked up */
export function namedCopies<Input>(
  copies: Copies<Input>,
  finder: AnyFinder,
  inputs: readonly Input[],
  places: readonly number[],
  found: ManyInputs | undefined,
): Named<Input>[] {
  const known = found ?? finder.nameMany(inputs);
  const made = places.map((i) => copies.of(inputs[i]!));
  if (made.every(({ sure }) => sure)) return made.map(({ input }, n) => ({ input, key: known.keyAt(places[n]!) }));
  const keys = finder.nameMany(made.map(({ input }) => input));
  return made.map(({ input }, n) => ({ input, key: keys.keyAt(n) }));
}
