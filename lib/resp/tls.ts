// tls.ts: TLS for a server, by Node's own, in a worker thread.
//
// The worker (tls-worker.ts) decrypts. It hands what clients sent to the server's threads, one native call a chunk, and
// encrypts what they answer. So no second TLS library is linked, and the main event loop has no part in it.

import path from 'node:path';
import { Worker } from 'node:worker_threads';
import { CacheError } from '../base/errors.js';
import type { CheckedTlsOptions } from './options.js';

/** What the worker is started with. @internal */
export interface TlsWorkerData extends CheckedTlsOptions {
  readonly server: number;
}

/** What the worker says. @internal */
export type TlsWorkerMessage = { port: number } | { error: string };

export function urlOf(scheme: string, host: string, port: number): string {
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** @internal */
export class TlsListener {
  /** Rejects with a CacheError, `ERR_CACHE_IO`, if an address or the certificate will not do. */
  readonly ready: Promise<void>;
  readonly #worker: Worker;

  /** `onAddress` is called with each address once it is listened on. */
  constructor(server: number, options: CheckedTlsOptions, onAddress: (address: string) => void) {
    this.#worker = new Worker(path.join(__dirname, 'tls-worker.js'), {
      workerData: { ...options, server } satisfies TlsWorkerData,
      name: 'zerohop tls',
    });
    this.ready = new Promise((resolve, reject) => {
      this.#worker.once('message', (message: TlsWorkerMessage) => {
        if ('error' in message) return reject(new CacheError('ERR_CACHE_IO', message.error));
        for (const host of options.hosts) if (!host.startsWith('-')) onAddress(urlOf('rediss', host, message.port));
        resolve();
      });
      this.#worker.once('error', reject);
      this.#worker.once('exit', () => reject(new CacheError('ERR_CACHE_IO', 'the TLS worker ended')));
    });
    this.ready.catch(() => {}); // whoever waits for it hears of it
  }

  ref(): void {
    this.#worker.ref();
  }

  unref(): void {
    this.#worker.unref();
  }

  async close(): Promise<void> {
    await this.#worker.terminate();
  }
}
