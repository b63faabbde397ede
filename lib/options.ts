// options.ts: what a user may write as an option, and the words for what can not be one.

/** A number of bytes, or a string such as `'256MB'`; KB, MB, GB and TB are powers of 1 024. */
export type Size = number | string;

const UNITS: Record<string, number> = { B: 1, KB: 2 ** 10, MB: 2 ** 20, GB: 2 ** 30, TB: 2 ** 40 };

/** What was received, in a few words: never a whole object in a message. */
export function received(value: unknown): string {
  if (value === null) return 'null';
  if (typeof value === 'string') return `string ${JSON.stringify(value.slice(0, 40))}`;
  if (typeof value === 'number' || typeof value === 'boolean' || typeof value === 'bigint')
    return `${typeof value} ${value}`;
  if (typeof value === 'object') return `an instance of ${value.constructor?.name ?? 'Object'}`;
  return typeof value;
}

function typeError(name: string, expected: string, value: unknown): TypeError {
  return Object.assign(new TypeError(`${name}: expected ${expected}, received ${received(value)}`), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
}

export function rangeError(name: string, expected: string, value: unknown): RangeError {
  return Object.assign(new RangeError(`${name}: expected ${expected}, received ${received(value)}`), {
    code: 'ERR_OUT_OF_RANGE',
  });
}

/** `value` in whole bytes between `least` and `most`. */
export function sizeOption(name: string, value: unknown, least: number, most: number): number {
  const bytes = typeof value === 'string' ? parseSize(value) : value;
  if (typeof bytes !== 'number') throw typeError(name, "a number of bytes or a size such as '256MB'", value);
  if (!(bytes >= least && bytes <= most)) throw rangeError(name, `${least} to ${most} bytes`, value);
  return Math.floor(bytes);
}

function parseSize(text: string): number | undefined {
  const match = /^\s*(\d+(?:\.\d+)?)\s*([KMGT]?B)\s*$/i.exec(text);
  const unit = UNITS[match?.[2]?.toUpperCase() ?? ''];
  return match && unit ? Number(match[1]) * unit : undefined;
}

/** A string without lone surrogates, which UTF-8 can not carry. */
export function textOption(name: string, value: unknown, bytesMax = 1024): string {
  if (typeof value !== 'string') throw typeError(name, 'a string', value);
  const bytes = Buffer.byteLength(value);
  if (bytes > bytesMax || Buffer.from(value).toString() !== value) {
    throw rangeError(name, `well-formed Unicode of at most ${bytesMax} bytes`, value);
  }
  return value;
}

export function choiceOption<T extends string>(name: string, value: unknown, choices: readonly T[]): T {
  const found = choices.find((choice) => choice === value);
  if (found === undefined) throw typeError(name, choices.map((choice) => `'${choice}'`).join(' or '), value);
  return found;
}

export function optionsObject(name: string, value: unknown, known: readonly string[]): Record<string, unknown> {
  if (value === undefined) return {};
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw typeError(name, 'an object', value);
  const stranger = Object.keys(value).find((key) => !known.includes(key));
  if (stranger !== undefined)
    throw typeError(`${name}.${stranger}`, `one of the options ${known.join(', ')}`, stranger);
  return value as Record<string, unknown>;
}

export { typeError };
