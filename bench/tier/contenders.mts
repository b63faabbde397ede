// contenders.mts — the contenders' processes, as the suite sees them.

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { ownChild } from '../harness/cleanup.mjs';
import { WrongAnswer } from '../harness/wrong-answer.mjs';
import type { Order, Told } from './contender.mjs';

const PROGRAM = fileURLToPath(new URL('contender.mjs', import.meta.url));

export class Contender {
  readonly #child: ChildProcess;

  private constructor(
    readonly name: string,
    child: ChildProcess,
  ) {
    this.#child = child;
  }

  /** @param file  of the ids that it is asked to read */
  static async start(name: string, socket: string, entries: number, file: string): Promise<Contender> {
    const child = fork(PROGRAM, [name, socket, String(entries), file], {
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
    ownChild(child);
    const contender = new Contender(name, child);
    await contender.#answer();
    return contender;
  }

  /** @throws {WrongAnswer} it got a wrong answer, or ended. */
  async ask(order: Order): Promise<Told> {
    this.#child.send(order);
    return this.#answer();
  }

  /** Its memory is free again when this ends. */
  async end(): Promise<void> {
    this.#child.kill();
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  async #answer(): Promise<Told> {
    const ended = new AbortController();
    const { signal } = ended;
    try {
      const exit = once(this.#child, 'exit', { signal }).then(() => {
        throw new WrongAnswer(`${this.name} ended`);
      });
      const [{ told, error }] = await Promise.race([once(this.#child, 'message', { signal }), exit]);
      if (error !== undefined) throw new WrongAnswer(`${this.name}: ${error}`);
      return told as Told;
    } finally {
      ended.abort();
    }
  }
}
