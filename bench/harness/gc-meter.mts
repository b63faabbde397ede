// gc-meter.mts — what a stretch of work cost in garbage collection and in processor time.
//
// V8 tells each pause of the JavaScript thread through PerformanceObserver('gc').  The work that its
// helper threads do beside the program shows only in the CPU time of the whole process, so both are
// kept: the pauses say what a request felt, the CPU time says what was paid.

import { type PerformanceEntry, PerformanceObserver } from 'node:perf_hooks';
import { setImmediate as nextTurn } from 'node:timers/promises';

export interface GcCost {
  /** The JavaScript thread stood still this long. */
  readonly pausesMs: number;
  readonly pauses: number;
  /** User and system time of all threads of this process. */
  readonly cpuMs: number;
}

export class GcMeter {
  readonly #observer: PerformanceObserver;
  readonly #cpuAtStart: NodeJS.CpuUsage;
  readonly #startedMs: number;
  #pausesMs = 0;
  #pauses = 0;

  private constructor() {
    this.#observer = new PerformanceObserver((list) => this.#add(list.getEntries()));
    this.#observer.observe({ entryTypes: ['gc'] });
    this.#startedMs = performance.now();
    this.#cpuAtStart = process.cpuUsage();
  }

  /** Collects what is lying about first, where the program runs with --expose-gc. */
  static start(): GcMeter {
    globalThis.gc?.();
    return new GcMeter();
  }

  async stop(): Promise<GcCost> {
    const cpu = process.cpuUsage(this.#cpuAtStart);
    // Node hands a pause over in a later turn of the event loop than the one it happened in.
    await nextTurn();
    await nextTurn();
    this.#add(this.#observer.takeRecords());
    this.#observer.disconnect();
    return { pausesMs: this.#pausesMs, pauses: this.#pauses, cpuMs: (cpu.user + cpu.system) / 1000 };
  }

  #add(entries: readonly PerformanceEntry[]): void {
    for (const entry of entries) {
      if (entry.startTime < this.#startedMs) continue; // the collection of start(), told late
      this.#pausesMs += entry.duration;
      this.#pauses += 1;
    }
  }
}
