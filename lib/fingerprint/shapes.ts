// shapes.ts: the order in which the members of an object are written, and under which names.
//
// Objects side by side mostly have the same names in the same order. What was computed for one shape is used again for
// the next object of that shape.

import { isWellFormed, typeError } from '../base/options.js';

/** The names of an object's members. */
export interface Shape {
  /** The names, in the order of Object.keys. */
  readonly names: readonly string[];
  /** The names that count, in the order in which they are written. */
  readonly sorted: readonly string[];
  /** How each of these is written. */
  readonly written: readonly string[];
  /** Whether the names are those of a tensor, ours or onnxruntime's. */
  readonly tensor: 'dtype' | 'type' | undefined;
}

const TENSORS: Record<string, Shape['tensor']> = { 'data,dtype,shape': 'dtype', 'data,dims,type': 'type' };
/** The engine sorts more names than these. */
const INSERTED_MAX = 12;
const DOLLAR = 0x24;

/** @param path  the object's path, for errors */
export function shapeOf(
  names: readonly string[],
  rules: { text(text: string): string },
  excluded: ReadonlySet<string>,
  path: () => string,
): Shape {
  if (excluded.size > 0 || !names.every(isAsItIs)) return renamedShapeOf(names, rules, excluded, path);
  const sorted = isAscending(names) ? names : inOrder([...names]);
  return { names, sorted, written: sorted, tensor: names.length === 3 ? TENSORS[sorted.join()] : undefined };
}

/** The shape if names are left out, or normalized. */
function renamedShapeOf(
  names: readonly string[],
  rules: { text(text: string): string },
  excluded: ReadonlySet<string>,
  path: () => string,
): Shape {
  const byWritten = new Map<string, string>();
  for (const name of names) {
    if (!isWellFormed(name)) throw typeError(`${path()}.${name}`, 'text without lone surrogates', name);
    const normal = rules.text(name);
    if (excluded.has(normal)) continue;
    const written = normal.startsWith('$') ? `$${normal}` : normal;
    if (byWritten.has(written)) throw typeError(path(), 'names that stay different when they are normalized', name);
    byWritten.set(written, name);
  }
  const written = inOrder([...byWritten.keys()]);
  const tensor = names.length === 3 ? TENSORS[inOrder([...names]).join()] : undefined;
  return { names, sorted: written.map((name) => byWritten.get(name)!), written, tensor };
}

/** Whether a name is ASCII without `$` in front: no normalization changes it. */
function isAsItIs(name: string): boolean {
  for (let i = 0; i < name.length; ++i) if (name.charCodeAt(i) > 0x7f) return false;
  return name.charCodeAt(0) !== DOLLAR;
}

/** Sorts names by UTF-16 units, as `<` compares strings. */
function inOrder(names: string[]): string[] {
  // Without a compare function, engines sort many strings several times as fast. A few are faster sorted here.
  if (names.length > INSERTED_MAX) return names.sort();
  for (let i = 1; i < names.length; ++i) {
    const name = names[i]!;
    let at = i;
    for (; at > 0 && name < names[at - 1]!; --at) names[at] = names[at - 1]!;
    names[at] = name;
  }
  return names;
}

function isAscending(names: readonly string[]): boolean {
  for (let i = 1; i < names.length; ++i) if (!(names[i - 1]! < names[i]!)) return false;
  return true;
}

/** Whether an object with these names has the shape. */
export function fits(shape: Shape, names: readonly string[]): boolean {
  const of = shape.names;
  const { length } = names;
  if (of.length !== length) return false;
  for (let i = 0; i < length; ++i) if (of[i] !== names[i]) return false;
  return true;
}
