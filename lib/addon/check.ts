// check.ts: whether the addon is the one that this JavaScript was made for.

import { CacheError } from '../base/errors.js';

/**
 * Checks that `library` has exactly these members.
 *
 * @throws {CacheError} `ERR_CACHE_ADDON`: one is missing, or there is another one.
 */
export function checkFunctions(library: object, expected: readonly string[]): void {
  const there = new Set(Object.keys(library));
  for (const name of expected) if (!there.delete(name)) throw differs(`it has no '${name}'`);
  for (const name of there) throw differs(`its '${name}' is unknown here`);
}

/**
 * Checks that both languages have the same numbers.
 *
 * @throws {CacheError} `ERR_CACHE_ADDON`: one is missing, or differs.
 */
export function checkNumbers(numbers: Record<string, number>, expected: Record<string, number>): void {
  for (const name of new Set([...Object.keys(expected), ...Object.keys(numbers)]))
    if (numbers[name] !== expected[name])
      throw differs(`its number ${name} is ${numbers[name]}, and ${expected[name]} here`);
}

function differs(how: string): CacheError {
  return new CacheError(
    'ERR_CACHE_ADDON',
    `zerohop: the native addon and the JavaScript are of two versions (${how}); install zerohop again, or run 'npm run ` +
      "build' in the checkout",
  );
}
