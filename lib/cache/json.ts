// json.ts: JSON text that gives a value back exactly as it was. Any other value is refused.
//
// JSON.stringify drops and changes things silently. A Promise, Map or class instance becomes `{…}`, a Date becomes a
// string, NaN becomes null, and a member that is undefined is gone. A hit would then differ from the value that was
// set.
//
// The value is copied first, and the copy is checked and written. So each getter and each member of a Proxy is read
// once, and what was checked is what is stored.
import { hasPlainPrototype, isThenable } from '../base/kinds.js';
import { typeError } from '../base/options.js';

const EXPECTED =
  'what JSON gives back as it is (plain objects, arrays, strings, booleans, null, finite numbers but -0)';

/** Levels of arrays and objects within each other. This ends a circle too. */
const DEPTH_MAX = 1000;

/** How many members of a path a message shows. */
const PATH_MEMBERS_MAX = 8;

/** Where the walk is: the member at each level. */
type Path = (string | number)[];

/**
 * The JSON text of `value`. Cost: that of JSON.stringify, and as much again for small objects.
 *
 * @throws {TypeError} `value`, or a member of it, would not come back as it is; the message names its path.
 */
export function exactJson(value: unknown): string {
  // JSON.stringify would call it on the copy.
  if ('toJSON' in Array.prototype)
    throw typeError('Array.prototype.toJSON', 'none, here and in Object.prototype', 'one');
  const path: Path = [];
  return JSON.stringify(isObject(value) ? copyOf(value, path, 0) : judged(value, path, 0));
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** `value`, which is not an object, if JSON keeps it. */
function judged(value: unknown, path: Path, depth: number): unknown {
  const kept =
    typeof value === 'number'
      ? value - value === 0 && !Object.is(value, -0)
      : typeof value === 'string' || typeof value === 'boolean' || value === null;
  if (kept) return value;
  throw refusal(value, path, depth, value === undefined && depth > 0 ? `${EXPECTED}, or no such member` : EXPECTED);
}

function copyOf(value: object, path: Path, depth: number): object {
  if (depth === DEPTH_MAX) throw refusal(value, path, depth, `no circle, and at most ${DEPTH_MAX} levels`);
  if (Array.isArray(value)) return copyOfArray(value, path, depth);
  if (!hasPlainPrototype(value))
    throw refusal(value, path, depth, isThenable(value) ? `${EXPECTED}; await it first` : EXPECTED);
  const copy: Record<string, unknown> = { ...value };
  for (const key of Object.keys(copy)) {
    const member = copy[key];
    path[depth] = key;
    if (isObject(member)) copy[key] = copyOf(member, path, depth + 1);
    else judged(member, path, depth + 1);
  }
  if (Object.getOwnPropertySymbols(copy).length > 0)
    throw refusal(value, path, depth, 'an object whose members have names, and are no symbols');
  return copy;
}

function copyOfArray(value: readonly unknown[], path: Path, depth: number): unknown[] {
  // In every realm the prototype of arrays is itself an array. The prototype of a subclass is not.
  if (!Array.isArray(Object.getPrototypeOf(value))) throw refusal(value, path, depth, EXPECTED);
  const copy: unknown[] = [];
  for (let i = 0, { length } = value; i < length; ++i) {
    const element = value[i];
    path[depth] = i;
    copy.push(isObject(element) ? copyOf(element, path, depth + 1) : judged(element, path, depth + 1));
  }
  const isMember = (symbol: symbol) => Object.prototype.propertyIsEnumerable.call(value, symbol);
  if (Object.keys(value).length !== copy.length || Object.getOwnPropertySymbols(value).some(isMember))
    throw refusal(value, path, depth, 'an array with elements only, as a match of a RegExp is none');
  return copy;
}

function refusal(value: unknown, path: Path, depth: number, expected: string): TypeError {
  const name = path
    .slice(Math.max(0, depth - PATH_MEMBERS_MAX), depth)
    .map(memberText)
    .join('');
  return typeError(`value${depth > PATH_MEMBERS_MAX ? '…' : ''}${name}`, expected, value);
}

function memberText(member: string | number): string {
  if (typeof member === 'number') return `[${member}]`;
  return /^[\p{ID_Start}$_][\p{ID_Continue}$]{0,39}$/u.test(member)
    ? `.${member}`
    : `[${JSON.stringify(member.slice(0, 40))}]`;
}
