// warm-state.ts: the file in which `zerohop warm --state` keeps how far it is, so that another run goes on there.
//
// It is written beside itself and renamed, so it is whole whenever the run ends. What is stored twice does no harm, so
// it may lag behind.

import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { now } from '../base/time.js';
import { shown } from './print.js';

/** What was done, by all runs together. */
export interface WarmCounts {
  /** Keys that were looked at. */
  keys: number;
  stored: number;
  storedBytes: number;
  /** There was a value under the key already. */
  present: number;
  /** The source had no value, or it ended meanwhile. */
  absent: number;
  /** The cache had no room, or the value is too large for it. */
  refused: number;
}

export interface WarmState {
  /** From where to where: a place is good for that alone. */
  readonly of: string;
  readonly place: string;
  readonly counts: WarmCounts;
}

const FORMAT = 'zerohop-warm-up';
const EVERY_MS = 500;

export class StateFile {
  readonly #path: string;
  readonly #of: string;
  #writtenMs = Number.NEGATIVE_INFINITY;

  constructor(path: string, of: string) {
    this.#path = path;
    this.#of = of;
  }

  /**
   * What an earlier run left; undefined: nothing.
   *
   * @throws {Error} the file is another thing, or of another warm-up.
   */
  read(): WarmState | undefined {
    let text: string;
    try {
      text = readFileSync(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    const state = stateIn(text);
    if (state === undefined) throw new Error(`${shown(this.#path)}: is no state of a warm-up`);
    if (state.of !== this.#of)
      throw new Error(
        `${shown(this.#path)}: is the state of another warm-up, or its source has changed since; remove it to begin anew`,
      );
    return state;
  }

  /** Keeps the state. Unless it `must`, only now and then. */
  write(place: string, counts: WarmCounts, must: boolean): void {
    if (!must && now() < this.#writtenMs + EVERY_MS) return;
    this.#writtenMs = now();
    const state: WarmState & { format: string } = { format: FORMAT, of: this.#of, place, counts };
    const beside = `${this.#path}.${process.pid}.tmp`;
    writeFileSync(beside, JSON.stringify(state), { mode: 0o600 });
    renameSync(beside, this.#path);
  }

  /** All is done. */
  remove(): void {
    rmSync(this.#path, { force: true });
  }
}

function stateIn(text: string): WarmState | undefined {
  try {
    const { format, of, place, counts } = JSON.parse(text) as Record<string, unknown>;
    const known = format === FORMAT && typeof of === 'string' && typeof place === 'string' && isCounts(counts);
    return known ? { of, place, counts } : undefined;
  } catch {
    return undefined;
  }
}

const NAMES = ['keys', 'stored', 'storedBytes', 'present', 'absent', 'refused'] as const satisfies (keyof WarmCounts)[];

function isCounts(counts: unknown): counts is WarmCounts {
  const given = counts as Record<string, unknown> | null | undefined;
  return NAMES.every((name) => Number.isSafeInteger(given?.[name]));
}

export const noCounts = (): WarmCounts => ({ keys: 0, stored: 0, storedBytes: 0, present: 0, absent: 0, refused: 0 });
