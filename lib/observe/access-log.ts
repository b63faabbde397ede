// access-log.ts: writes what the models of this thread are asked for to a file, for `zerohop replay`. A sample of keys
// stands for all: 1 in 64, each with all its requests. docs/CLI.md specifies the form.
//
//   zerohop:access  ->  lines in memory  ->  appended to the file, once a second
//
// The path of a hit only adds a line to a list, and that for an input of the sample. What the disk cannot take is left
// out and counted. The file is bounded: at half of its limit it is renamed to `<path>.1`, in place of the one before.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { appendFile, rename, stat } from 'node:fs/promises';
import { optionsObject, type Size, sizeOption, textOption } from '../base/options.js';
import { clearInterval, setInterval } from '../base/time.js';
import { ACCESS_CHANNEL, type AccessEvent } from '../model/access-events.js';
import { SAMPLE_RATE } from '../model/traffic.js';

export interface AccessLogOptions {
  /** Of both files together. 1 MB or more, default 256 MB. */
  maxBytes?: Size | undefined;
}

/** A log under way. Made by {@link accessLog}. */
export interface AccessLog {
  /** Requests that were left out, because the disk was too slow or refused to take them. */
  readonly dropped: number;
  /** Ends it. Settles when everything is written; never rejects. */
  close(): Promise<void>;
}

const WRITE_EVERY_MS = 1000;
const MAX_BYTES = '256MB';
const MAX_BYTES_MIN = 2 ** 20;
/** Of lines that wait for the disk. */
const WAITING_MAX = 2 ** 20;

const HEAD = `${JSON.stringify({ format: 'zerohop-access-log', formatVersion: 1, share: SAMPLE_RATE })}\n`;

/**
 * Writes an access log of all models of this thread, until it is closed. A file that is there is gone on with. Keys are
 * fingerprints: nothing of an input is written. It keeps no process alive; what came in the last second before the
 * process ends is lost unless the log is closed.
 *
 * @throws {TypeError | RangeError} an argument is wrong.
 * @example const log = accessLog('/var/log/app/access.jsonl', { maxBytes: '64MB' })
 */
export function accessLog(path: string, options?: AccessLogOptions): AccessLog {
  const { maxBytes = MAX_BYTES } = optionsObject('options', options, ['maxBytes']);
  const bytes = sizeOption('options.maxBytes', maxBytes, MAX_BYTES_MIN, Number.MAX_SAFE_INTEGER);
  return new OpenLog(textOption('path', path, 4096, 1), bytes / 2);
}

class OpenLog implements AccessLog {
  readonly #path: string;
  readonly #mostBytes: number;
  readonly #timer: NodeJS.Timeout;
  readonly #note = (message: unknown) => this.#add(message as AccessEvent);
  #lines: string[] = [];
  #length = 0;
  #writing: Promise<void> = Promise.resolve();
  #dropped = 0;

  constructor(path: string, mostBytes: number) {
    this.#path = path;
    this.#mostBytes = mostBytes;
    this.#timer = setInterval(() => this.#write(), WRITE_EVERY_MS).unref();
    subscribe(ACCESS_CHANNEL, this.#note);
  }

  get dropped(): number {
    return this.#dropped;
  }

  async close(): Promise<void> {
    unsubscribe(ACCESS_CHANNEL, this.#note);
    clearInterval(this.#timer);
    this.#write();
    await this.#writing;
  }

  #add({ model, version, fingerprint, bytes, costMs }: AccessEvent): void {
    if (this.#length > WAITING_MAX) {
      this.#dropped++;
      return;
    }
    const key = `${model}@${version}:${fingerprint}`;
    const cost = costMs === undefined ? undefined : costMs / 1000;
    const line = `${JSON.stringify({ time: Date.now() / 1000, key, bytes, cost })}\n`;
    this.#lines.push(line);
    this.#length += line.length;
  }

  /** One write after the other: lines keep their order. Lines that wait for one count until it is done. */
  #write(): void {
    const lines = this.#lines;
    if (lines.length === 0) return;
    this.#lines = [];
    this.#writing = this.#writing
      .then(() => this.#append(lines.join('')))
      .catch(() => {
        this.#dropped += lines.length;
      })
      .then(() => {
        for (const line of lines) this.#length -= line.length;
      });
  }

  async #append(text: string): Promise<void> {
    let size = await sizeOf(this.#path);
    if (size > 0 && size + text.length > this.#mostBytes) {
      await rename(this.#path, `${this.#path}.1`);
      size = 0;
    }
    await appendFile(this.#path, size === 0 ? HEAD + text : text, { mode: 0o600 });
  }
}

/** 0: there is none. */
async function sizeOf(path: string): Promise<number> {
  try {
    return (await stat(path)).size;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0;
    throw error;
  }
}
