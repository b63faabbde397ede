// under-way.ts: the computations of a model that have not ended, and how a model ends: what is under way goes on, and
// what is new is refused.
//
//   open ──► draining: only what a run asks for begins ──► drained: nothing begins
//
// A run may ask another model, as a pipeline does, and hands on its signal. By the signal, what a run asks for is told
// from what is new. A cache drains all its models together, because each may ask another one until all are done: so a
// model that is busy is itself under way in its cache.

import { CacheError } from '../base/errors.js';
import { type Duration, durationOption, optionsObject } from '../base/options.js';
import { clearTimeout, setTimeout } from '../base/time.js';

export interface DrainOptions {
  /**
   * What is under way longer is given up: its runs' signals are aborted, and its callers get `ERR_MODEL_DRAINED`. 0 to
   * 24 days. Default: none.
   */
  timeout?: Duration | undefined;
}

const DRAIN_MS_MAX = 2 ** 31 - 1; // of a timer

/** In ms. @internal */
export function drainTimeout(options: DrainOptions | undefined): number {
  const { timeout } = optionsObject('options', options, ['timeout']);
  return timeout === undefined ? Number.POSITIVE_INFINITY : durationOption('options.timeout', timeout, 0, DRAIN_MS_MAX);
}

/** Those of all runs. */
const runSignals = new WeakSet<AbortSignal>();

/** From now on, what is asked for with this signal is part of a run. */
export function markRun(signal: AbortSignal): void {
  runSignals.add(signal);
}

/** The run is over: its signal is no longer one. */
export function unmarkRun(signal: AbortSignal): void {
  runSignals.delete(signal);
}

export class UnderWay {
  readonly #name: string;
  /** Of all models of the cache. */
  readonly #all: UnderWay | undefined;
  #state: 'open' | 'draining' | 'drained' = 'open';
  /** How each computation is ended before its time. */
  readonly #ends = new Map<object, (reason: unknown) => void>();
  /** How each late run is ended (late.ts). Nobody waits for these. */
  readonly #late = new Set<(reason: unknown) => void>();
  #idle: (() => void)[] = [];
  /** Something was given up. */
  #wasCut = false;
  /** The cache is closed. */
  #closed: CacheError | undefined;

  /** @param name for errors */
  constructor(name: string, all?: UnderWay) {
    this.#name = name;
    this.#all = all;
  }

  /** Whether what nobody asks for may begin. */
  get isOpen(): boolean {
    return this.#state === 'open' && this.#all?.isOpen !== false;
  }

  /** The error of what is new; undefined: it may begin. @param signal of its caller */
  refusal(signal?: AbortSignal): CacheError | undefined {
    if (this.isOpen) return undefined;
    const isNested = signal !== undefined && runSignals.has(signal);
    return isNested && !this.#isOver ? undefined : this.#over(this.#name);
  }

  get #isOver(): boolean {
    if (this.#state === 'drained') return true;
    return this.#all === undefined ? false : this.#all.#isOver;
  }

  #over(name: string): CacheError {
    return this.#all === undefined ? (this.#closed ?? drained(name)) : this.#all.#over(name);
  }

  /** @param end what ends it before its time; it calls `done` */
  begin(computation: object, end: (reason: unknown) => void): void {
    if (this.#ends.size === 0) this.#all?.begin(this, (reason) => this.end(reason));
    this.#ends.set(computation, end);
  }

  done(computation: object): void {
    if (!this.#ends.delete(computation) || this.#ends.size > 0) return;
    this.#all?.done(this);
    for (const told of this.#idle.splice(0)) told();
  }

  /** A run is late, and goes on until the model or its cache ends. */
  isLate(giveUp: (reason: unknown) => void): void {
    this.#late.add(giveUp);
    this.#all?.isLate(giveUp);
  }

  lateIsOver(giveUp: (reason: unknown) => void): void {
    this.#late.delete(giveUp);
    this.#all?.lateIsOver(giveUp);
  }

  #endLate(reason: unknown): void {
    for (const giveUp of [...this.#late]) giveUp(reason);
  }

  /** Refuses what is new, and waits for what is under way. Returns whether all of it finished. */
  async drain(timeoutMs: number): Promise<boolean> {
    if (this.#state === 'open') this.#state = 'draining';
    this.#endLate(drained(this.#name));
    const cut = () => this.end(drained(this.#name));
    if (timeoutMs === 0) cut();
    const timer = timeoutMs === Number.POSITIVE_INFINITY ? undefined : setTimeout(cut, timeoutMs);
    while (this.#ends.size > 0 && this.#closed === undefined)
      await new Promise<void>((resolve) => this.#idle.push(resolve));
    clearTimeout(timer);
    this.#state = 'drained';
    return !this.#wasCut;
  }

  /** Gives up what is under way. Nothing begins any more. */
  end(reason: unknown): void {
    this.#state = 'drained';
    this.#wasCut ||= this.#ends.size > 0;
    for (const end of [...this.#ends.values()]) end(reason);
    this.#endLate(reason);
  }

  /** Nothing begins any more, and nobody waits for what is under way: it ends when its run does. */
  close(): void {
    this.#closed = new CacheError('ERR_CACHE_CLOSED', 'the cache was closed');
    this.#state = 'drained';
    this.#wasCut ||= this.#ends.size > 0;
    this.#endLate(this.#closed);
    for (const told of this.#idle.splice(0)) told();
  }
}

const drained = (name: string) => new CacheError('ERR_MODEL_DRAINED', `${name} was drained, and computes nothing new`);
