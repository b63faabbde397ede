// nameable.ts: turns what callers of a library hand over into data that a fingerprint takes.

import { isMap } from '../base/kinds.js';
import { isPlain } from '../fingerprint/plain.js';

/**
 * Leaves out members that are undefined, because no provider sends them. A URL becomes a Map that is marked as a URL.
 * Other Maps are marked as Maps, so the two cannot be equal.
 *
 * @throws {TypeError} there is a getter. @internal
 */
export function nameable(value: unknown): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return Object.keys(value).length === value.length ? value.map(nameable) : value;
  if (isMap(value)) return new Map([['Map', value]]);
  if (isUrl(value)) return new Map([['URL', value.href]]);
  if (!isPlain(value)) return value;
  for (const { get } of Object.values(Object.getOwnPropertyDescriptors(value)))
    if (get !== undefined) throw new TypeError('a getter may say something else to the model than to the cache');
  const members = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(members.map(([name, member]) => [name, nameable(member)]));
}

/** Whether it is a URL, of any realm, without own members, which would not count. */
function isUrl(value: object): value is URL {
  return (
    Object.prototype.toString.call(value) === '[object URL]' &&
    typeof (value as URL).href === 'string' &&
    Object.keys(value).length === 0
  );
}
