// stream.ts: the live figures, by server-sent events. When the line is lost, it connects again, ever more rarely.
//
// A browser does that itself after a lost line, but not after an answer that is no stream: too many watch, or the server
// is starting. And it does not notice a line that is silent. So a stream without a word for SILENT_MS is given up.

import type { Point, Snapshot } from '../figures.js';

export type State = 'connecting' | 'live' | 'lost' | 'paused';

export interface Listener {
  history(points: readonly Point[]): void;
  snapshot(snapshot: Snapshot): void;
  /** `seconds`: until it connects again. */
  state(state: State, seconds?: number): void;
}

const SILENT_MS = 6000;
const RETRY_S_MAX = 15;

export class Stream {
  readonly #listener: Listener;
  #source: EventSource | undefined;
  #timer: number | undefined;
  #failures = 0;

  constructor(listener: Listener) {
    this.#listener = listener;
  }

  open(): void {
    this.#end();
    this.#listener.state('connecting');
    const source = new EventSource('events');
    this.#source = source;
    this.#watch();
    source.addEventListener('history', (event) => {
      this.#watch();
      this.#listener.history(JSON.parse(event.data));
    });
    source.addEventListener('snapshot', (event) => {
      this.#watch();
      this.#failures = 0;
      this.#listener.state('live');
      this.#listener.snapshot(JSON.parse(event.data));
    });
    source.addEventListener('closed', () => this.#retry());
    source.addEventListener('error', () => this.#retry());
  }

  pause(): void {
    this.#end();
    this.#listener.state('paused');
  }

  #watch(): void {
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#retry(), SILENT_MS);
  }

  #retry(): void {
    this.#end();
    const seconds = Math.min(RETRY_S_MAX, 2 ** this.#failures++);
    this.#listener.state('lost', seconds);
    this.#timer = setTimeout(() => this.open(), seconds * 1000);
  }

  #end(): void {
    clearTimeout(this.#timer);
    this.#source?.close();
    this.#source = undefined;
  }
}
