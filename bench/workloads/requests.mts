// requests.mts — keys as they come out of a request: written one after the other in a text, and sliced from it.
//
// A slice of fewer than 13 characters is a new string with characters of its own. V8 has not hashed it, and no store
// has met it. That is what a server has in its hands when it asks a cache; a string that a program keeps is another
// thing: its hash is known, and a store may hold the very same string.

/** Key `i` is `text.slice(starts[i], starts[i + 1])`. */
export interface RequestText {
  readonly text: string;
  /** One more than there are keys. */
  readonly starts: Uint32Array;
}

const KEY_LENGTH_MAX = 12;

/** @param keyOf  at most 12 characters of ASCII */
export function writeRequests(ids: Uint32Array, keyOf: (id: number) => string): RequestText {
  const bytes = Buffer.allocUnsafe(ids.length * KEY_LENGTH_MAX);
  const starts = new Uint32Array(ids.length + 1);
  let end = 0;
  for (let i = 0; i < ids.length; i++) {
    const key = keyOf(ids[i] as number);
    if (key.length > KEY_LENGTH_MAX) throw new RangeError(`a key of more than ${KEY_LENGTH_MAX} characters: ${key}`);
    end += bytes.write(key, end, 'latin1');
    starts[i + 1] = end;
  }
  return { text: bytes.toString('latin1', 0, end), starts };
}

/** All keys, each a new string. */
export function sliceKeys({ text, starts }: RequestText): string[] {
  const keys: string[] = [];
  for (let i = 0; i + 1 < starts.length; i++) keys.push(text.slice(starts[i], starts[i + 1]));
  return keys;
}
