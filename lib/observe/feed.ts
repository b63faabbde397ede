// feed.ts: the live figures of the dashboard: one stream of server-sent events, read by everybody who watches.
//
//   history    the points of the last five minutes, once, at the beginning
//   snapshot   once a second, made once for all
//   closed     the cache was closed; the stream ends
//   a comment  in the place of a snapshot that is not ready: the reader knows that the line is alive
//
// While nobody watches, nothing is made. A reader that does not take what it is sent gets nothing more until it has,
// and is dropped after BEHIND_MAX events: what it holds of our memory is one event and what the system buffers.

import type { ServerResponse } from 'node:http';
import { clearInterval, setInterval } from '../base/time.js';
import type { Point, Snapshot } from './figures.js';
import { PAGE_HEADERS } from './page-files.js';

export const READERS_MAX = 64;
const SECOND_MS = 1000;
const BEHIND_MAX = 10;
/** How long a browser waits before it connects again. */
const RETRY_MS = 2000;

/** Where snapshots come from: snapshot.ts. */
export interface Snapshots {
  readonly history: readonly Point[];
  /** Undefined: there will be none any more. Called when the one before has settled. */
  snapshot(now: number): Promise<Snapshot | undefined>;
}

export class Feed {
  readonly #snapshots: Snapshots;
  readonly #everyMs: number;
  /** And how many events each has missed in a row. */
  readonly #readers = new Map<ServerResponse, number>();
  #timer: NodeJS.Timeout | undefined;
  #making = false;
  /** Of the last second, written out. */
  #last: { at: number; event: Buffer } | undefined;

  constructor(snapshots: Snapshots, everyMs = SECOND_MS) {
    this.#snapshots = snapshots;
    this.#everyMs = everyMs;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** False: there are as many readers as there may be. */
  add(response: ServerResponse): boolean {
    if (this.#readers.size >= READERS_MAX) return false;
    response.writeHead(200, { ...PAGE_HEADERS, 'Content-Type': 'text/event-stream; charset=utf-8' });
    response.write(`retry: ${RETRY_MS}\n\n${eventOf('history', this.#snapshots.history)}`);
    if (this.#last !== undefined && Date.now() - this.#last.at < 2 * this.#everyMs) response.write(this.#last.event);
    this.#readers.set(response, 0);
    response.on('error', () => response.destroy()).once('close', () => this.#remove(response));
    if (this.#timer === undefined) {
      this.#timer = setInterval(() => void this.#tick(), this.#everyMs);
      this.#timer.unref(); // who serves keeps the process alive
      void this.#tick();
    }
    return true;
  }

  /** Ends all streams; that of who does not read, without a word. */
  close(): void {
    for (const response of this.#readers.keys()) {
      if (response.writableNeedDrain || response.writableEnded) response.destroy();
      else response.end(eventOf('closed', null));
    }
  }

  #remove(response: ServerResponse): void {
    this.#readers.delete(response);
    if (this.#readers.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  async #tick(): Promise<void> {
    if (this.#making) return this.#send(Buffer.from(':\n\n'));
    this.#making = true;
    try {
      const now = Date.now();
      const snapshot = await this.#snapshots.snapshot(now);
      if (snapshot === undefined) return this.close();
      const event = Buffer.from(eventOf('snapshot', snapshot));
      this.#last = { at: now, event };
      this.#send(event);
    } catch {
      this.#send(Buffer.from(':\n\n')); // the next one may be made
    } finally {
      this.#making = false;
    }
  }

  #send(event: Buffer): void {
    for (const [response, behind] of this.#readers) {
      if (response.writableEnded) continue;
      if (!response.writableNeedDrain) {
        response.write(event);
        this.#readers.set(response, 0);
      } else if (behind < BEHIND_MAX) this.#readers.set(response, behind + 1);
      else response.destroy();
    }
  }
}

/** JSON has no line ends, which would end the event. */
function eventOf(event: string, data: unknown): string {
  return `event: ${event}\ndata: ${JSON.stringify(data)}\n\n`;
}
