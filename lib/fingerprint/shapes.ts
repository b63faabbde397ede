// shapes.ts: the order in which the members of an object are written, and under which names.
//
// Objects that stand side by side mostly have the same names in the same order. What was found out about one shape is
// used again for the next object of that shape.

import { isWellFormed, typeError } from '../base/options.js';

/** One way to name members. */
export interface Shape {
  /** As Object.keys gives them. */
  readonly names: readonly string[];
  /** Those that count, in the order in which they are written. */
  readonly sorted: readonly string[];
  /** How each of them is written. */
  readonly written: readonly string[];
  /** The names are those of a tensor: ours, or onnxruntime's. */
  readonly tensor: 'dtype' | 'type' | undefined;
}

const TENSORS: Record<string, Shape['tensor']> = { 'data,dtype,shape': 'dtype', 'data,dims,type': 'type' };
/** More names than these are sorted by the engine. */
const INSERTED_MAX = 12;
const DOLLAR = 0x24;

/** @param path  of the object, for errors */
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

/** Where names are left out, or written otherwise than they are. */
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

/** ASCII, and no `$` in front: every normalization leaves it. */
function isAsItIs(name: string): boolean {
  for (let i = 0; i < name.length; ++i) if (name.charCodeAt(i) > 0x7f) return false;
  return name.charCodeAt(0) !== DOLLAR;
}

/** By units of UTF-16, as `<` compares strings. */
function inOrder(names: string[]): string[] {
  // Without a function that compares, engines sort many strings several times as fast; few, this does.
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
