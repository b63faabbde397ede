// format.ts: numbers and names as the page shows them. What is not known is a dash.

export const UNKNOWN = '–';

/** Control and format characters, and separators of lines: they could hide or reorder what stands beside them. */
const UNPLAIN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** A name from anybody, in plain characters. */
export function shown(name: string): string {
  return name.replace(UNPLAIN, (character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
}

const grouped = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const short = new Intl.NumberFormat('en', { notation: 'compact', maximumSignificantDigits: 3 });

/** `1 234 567`. */
export const count = (value: number): string => grouped.format(value).replaceAll(',', '\u202f');

/** `1.23M`. */
export const brief = (value: number | null): string => (value === null ? UNKNOWN : short.format(value));

/** By the second. */
export function rate(value: number | null): string {
  if (value === null) return UNKNOWN;
  if (value > 0 && value < 0.01) return '< 0.01';
  return value < 10 ? String(Math.round(value * 100) / 100) : brief(value);
}

export function percent(value: number | null): string {
  if (value === null) return UNKNOWN;
  // Not everything is 100 % that rounds to it.
  const tenths = value === 1 ? 1000 : Math.min(999, Math.round(value * 1000));
  return `${(tenths / 10).toFixed(1)}\u202f%`;
}

const SIZES = ['B', 'KB', 'MB', 'GB', 'TB'];

/** Powers of 1 024, as options take them. */
export function size(bytes: number): string {
  const power = bytes < 1 ? 0 : Math.min(SIZES.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 2 ** (10 * power);
  return `${Number.isInteger(value) || value >= 100 ? Math.round(value) : value.toFixed(1)}\u202f${SIZES[power]}`;
}

/** A time from µs to minutes, in two digits: what is counted is not known better (native/base/histogram.h). */
export function time(seconds: number | null): string {
  if (seconds === null) return UNKNOWN;
  if (seconds > 0 && seconds < 0.95e-6) return '<\u202f1\u202fµs';
  if (seconds >= 99.5) return duration(seconds);
  const [value, unit] =
    seconds >= 0.995 ? [seconds, 's'] : seconds >= 0.995e-3 ? [seconds * 1e3, 'ms'] : [seconds * 1e6, 'µs'];
  return `${Number(value.toPrecision(2))}\u202f${unit}`;
}

/** `2d 3h`: the two largest units. */
export function duration(seconds: number): string {
  if (Math.abs(seconds) < 0.05) return '0\u202fs';
  if (seconds < 0) return `−${duration(-seconds)}`;
  if (seconds < 60) return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)}\u202fs`;
  const whole = Math.round(seconds);
  const parts: [number, string][] = [
    [Math.floor(whole / 86_400), 'd'],
    [Math.floor(whole / 3600) % 24, 'h'],
    [Math.floor(whole / 60) % 60, 'min'],
    [whole % 60, 's'],
  ];
  const first = parts.findIndex(([value]) => value > 0);
  return parts
    .slice(first, first + 2)
    .filter(([value]) => value > 0)
    .map(([value, unit]) => `${value}\u202f${unit}`)
    .join(' ');
}

/** `6.9 min`: one unit, for where there is little room. */
export function briefDuration(seconds: number): string {
  const size = Math.abs(seconds);
  if (size < 60) return duration(seconds);
  const [value, unit] = size < 3600 ? [size / 60, 'min'] : size < 86_400 ? [size / 3600, 'h'] : [size / 86_400, 'd'];
  const digits = value < 10 ? value.toFixed(1) : count(value);
  return `${seconds < 0 ? '−' : ''}${digits}\u202f${unit}`;
}

export function money(usd: number | null): string {
  if (usd === null) return UNKNOWN;
  const sign = usd < 0 ? '−' : '';
  const value = Math.abs(usd);
  if (value === 0) return '$0';
  if (value < 0.0001) return `${sign}$${value.toExponential(0)}`;
  if (value < 1) return `${sign}$${Number(value.toPrecision(2))}`;
  return value < 1000 ? `${sign}$${value.toFixed(2)}` : `${sign}$${count(value)}`;
}

const clock = new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', second: '2-digit' });

/** `14:03:07`, where the reader is. */
export const timeOfDay = (ms: number): string => clock.format(ms);
