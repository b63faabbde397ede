// labels.ts: what a keyspace is called in a label: bounded, without tenants.
//
// Native code knows a keyspace by a name that holds its scope, which is a tenant's name, and a model's also holds the
// version and a digest. Only the keyspace's or the model's name becomes a label; what has the same label is summed.

/** The label of what came after as many names as there may be. */
export const OTHER = 'other';

export interface Label {
  readonly keyspace: string;
  /** Of a model's keyspace. */
  readonly model: string | undefined;
}

/** @param name of a keyspace, as native code has it */
export function labelOf(name: string): Label {
  const keyspace = withoutScope(name);
  const model = modelIn(keyspace);
  if (model === undefined) return { keyspace: printable(keyspace), model };
  return { keyspace: printable(`model ${model}`), model: printable(model) };
}

/** A keyspace of a scope is called `["name","scope"]`; see `nameIn` in lib/cache/cache.ts. */
function withoutScope(name: string): string {
  if (!name.startsWith('[')) return name;
  const parsed = parse(name);
  return Array.isArray(parsed) && parsed.length === 2 ? String(parsed[0]) : name;
}

/** A model's is called `model ["name","version",scope] digest`; see lib/model/attach.ts. */
function modelIn(keyspace: string): string | undefined {
  const written = /^model (\[.*\]) [0-9a-f]{16}$/s.exec(keyspace)?.[1];
  const parsed = written === undefined ? undefined : parse(written);
  return Array.isArray(parsed) && parsed.length === 3 ? String(parsed[0]) : undefined;
}

function parse(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}

/**
 * A label value may be any text, and its quotes and line ends are escaped where it is written. Other control characters
 * are replaced: some readers end a text at a NUL.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what it is for
  return text.replace(/[\0-\x09\x0b-\x1f\x7f]/g, '\ufffd');
}
