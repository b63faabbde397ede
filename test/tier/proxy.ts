// proxy.ts: a TCP proxy between a client and Redis, which does to connections what networks do: it delays, stops one
// direction or both without a word, cuts, and joins chunks into one.
import { connect, createServer, type Server, type Socket } from 'node:net';

type Direction = 'toServer' | 'toClient';

/** One connection through the proxy. Bytes of each direction keep their order. */
class Pipe {
  readonly #held: Record<Direction, Buffer[]> = { toServer: [], toClient: [] };
  readonly #due: Record<Direction, number> = { toServer: 0, toClient: 0 };
  readonly #onEnd: () => void;
  #ended = false;

  constructor(
    readonly client: Socket,
    readonly server: Socket,
    readonly faults: Faults,
    onEnd: () => void,
  ) {
    this.#onEnd = onEnd;
    for (const socket of [client, server]) socket.on('error', () => {}).setNoDelay(true);
    server.on('close', () => this.#end());
    client.on('close', () => {
      // What the client sent before may be on its way still, and arrive.
      if (this.#held.toServer.length === 0) this.#end();
    });
    client.on('data', (chunk: Buffer) => this.#take('toServer', chunk));
    server.on('data', (chunk: Buffer) => this.#take('toClient', chunk));
  }

  cut(): void {
    this.client.resetAndDestroy();
    this.server.destroy();
  }

  /** Lets go of what is held, as one chunk. */
  release(direction: Direction): void {
    const chunks = this.#held[direction].splice(0);
    if (chunks.length === 0 || this.#ended) return;
    (direction === 'toServer' ? this.server : this.client).write(Buffer.concat(chunks));
    if (this.client.destroyed) this.server.end();
  }

  #end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.client.destroy();
    this.server.destroy();
    this.#onEnd();
  }

  #take(direction: Direction, chunk: Buffer): void {
    this.#held[direction].push(chunk);
    const { stopped, delayMs } = this.faults;
    if (stopped[direction]) return; // until it is healed
    const ms = delayMs[direction]();
    // A later chunk does not overtake: what is due later takes all before it along.
    const at = Math.max(this.#due[direction], Date.now() + ms);
    this.#due[direction] = at;
    if (at <= Date.now() && this.#held[direction].length === 1) this.release(direction);
    else
      setTimeout(() => {
        if (!this.faults.stopped[direction]) this.release(direction);
      }, at - Date.now());
  }
}

/** What is wrong with a proxy's network. */
export interface Faults {
  /** Nothing of this direction arrives, and nobody is told. */
  readonly stopped: Record<Direction, boolean>;
  /** How long each chunk is on its way. Chunks that wait together arrive as one. */
  readonly delayMs: Record<Direction, () => number>;
}

const none = () => 0;

export class FaultyProxy {
  readonly #server: Server;
  readonly #pipes = new Set<Pipe>();
  readonly #faults: Faults = {
    stopped: { toServer: false, toClient: false },
    delayMs: { toServer: none, toClient: none },
  };
  /** Whether connections are refused. */
  #refuses = false;

  private constructor(server: Server, to: number) {
    this.#server = server;
    server.on('connection', (client) => {
      if (this.#refuses) {
        client.resetAndDestroy();
        return;
      }
      const pipe: Pipe = new Pipe(client, connect(to, '127.0.0.1'), this.#faults, () => this.#pipes.delete(pipe));
      this.#pipes.add(pipe);
    });
  }

  static async start(to: number): Promise<FaultyProxy> {
    const server = createServer();
    const proxy = new FaultyProxy(server, to);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return proxy;
  }

  get port(): number {
    return (this.#server.address() as { port: number }).port;
  }

  delay(direction: Direction, ms: () => number): void {
    this.#faults.delayMs[direction] = ms;
  }

  /** Half open: what is sent this way is lost sight of, until `heal`. */
  stop(...directions: Direction[]): void {
    for (const direction of directions) this.#faults.stopped[direction] = true;
  }

  refuse(): void {
    this.#refuses = true;
  }

  cut(): void {
    for (const pipe of this.#pipes) pipe.cut();
  }

  /** What was held arrives, each direction as one chunk. From now on nothing is wrong. */
  heal(): void {
    this.#refuses = false;
    for (const direction of ['toServer', 'toClient'] as const) {
      this.#faults.stopped[direction] = false;
      this.#faults.delayMs[direction] = none;
      for (const pipe of this.#pipes) pipe.release(direction);
    }
  }

  async close(): Promise<void> {
    this.cut();
    await new Promise((resolve) => this.#server.close(resolve));
  }
}
