// shared-clock.ts: the time that runs take. Concurrent runs share the time that passes, as they share the device: two
// side by side for a second took half a second each. Together they take no more than the time that passes.

import { now } from '../base/time.js';

export class SharedClock {
  #running = 0;
  #at = 0;
  /** ms that a run would have taken which was there from the beginning. */
  #ms = 0;

  begin(): number {
    this.#turn();
    this.#running++;
    return this.#ms;
  }

  end(begun: number): number {
    this.#turn();
    this.#running--;
    return this.#ms - begun;
  }

  #turn(): void {
    const at = now();
    if (this.#running > 0) this.#ms += Math.max(0, at - this.#at) / this.#running; // tests may set clocks back
    this.#at = at;
  }
}
