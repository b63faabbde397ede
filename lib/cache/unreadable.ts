// unreadable.ts: bytes under a key that are no value of its keyspace's codec. Nothing in this process stores such: a
// client of a server (lib/resp) may, whose commands know strings only.
//
// A codec throws Unreadable, because it does not know whose bytes they are; the keyspace adds the key and throws a
// CacheError. What a codec of the caller's own throws comes through as it is.
import { CacheError } from '../base/errors.js';

const KEY_SHOWN_MAX = 40;

/** What a codec throws for bytes that none of its values has. */
export class Unreadable extends Error {
  constructor(
    readonly expected: string,
    readonly length: number,
    options?: ErrorOptions,
  ) {
    super(`expected ${expected}, found ${length} bytes`, options);
  }
}

/**
 * `error`, or if it is Unreadable, what the caller of `get` is to know of it: without the value, which may be secret.
 */
export function unreadableValue(error: unknown, key: unknown, keyspace: string, codec: string): unknown {
  if (!(error instanceof Unreadable)) return error;
  const { expected, length, cause } = error;
  return new CacheError(
    'ERR_CACHE_VALUE',
    `${keyText(key)} of keyspace ${JSON.stringify(keyspace)}: expected ${expected}, as the codec ${codec} stores it, ` +
      `found ${length} bytes. A client of the server may have stored them: delete the key, or set it again`,
    cause === undefined ? undefined : { cause },
  );
}

function keyText(key: unknown): string {
  if (typeof key === 'string') return `key ${JSON.stringify(key.slice(0, KEY_SHOWN_MAX))}`;
  if (typeof key === 'number') return `key ${key}`;
  const bytes = key as Uint8Array;
  return `key 0x${Buffer.from(bytes.buffer, bytes.byteOffset, Math.min(bytes.byteLength, KEY_SHOWN_MAX)).toString('hex')}`;
}
