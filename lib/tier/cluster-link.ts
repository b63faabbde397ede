// cluster-link.ts: the link to a Redis Cluster: a peer for each primary, and which of them has which slot.
//
// Every primary tells us of changes of its keys, over the connection over which they are read. So what one connection
// needs to be coherent (connection.ts), many need too, and this besides:
//
// - A peer is asked for a key only when it is up, so that the key is tracked. A table of slots is taken over when its
//   new peers are.
// - A slot that moves is told of: the old primary tells of each key that leaves it (MIGRATE deletes), the new one of each
//   that comes. Redis 7.0 says nothing when a slot is taken from it without that: so L0 forgets the keys of a slot that
//   has another owner, bit by bit.
// - A command that is sent on to another peer comes behind what that one was sent meanwhile. So nothing that was read of
//   its key until its reply counts.
// - Commands of one slot keep their order though its owner changes: later ones wait until those that are under way have
//   their replies, because these may be sent on to the new owner still.
// - A peer that is lost, or no primary any more, empties L0.
//
// The table is asked for at every heartbeat, of one peer after the other, and when a peer says MOVED.

import { clearTimeout, now, setTimeout, sleep } from '../base/time.js';
import { Asker } from './asker.js';
import { LinkError } from './connection.js';
import { bytesOf, Link, type LinkOptions, type LinkState } from './link.js';
import { Peer, pauseMs } from './peer.js';
import { type Address, addressOf, type ClusterPlace, textOf } from './places.js';
import type { Argument, Octets, Reply } from './redis.js';
import { SLOTS, slotOf } from './slots.js';

/** How often a command is sent on. */
const REDIRECTS_MAX = 8;

/** Between two attempts at a command whose keys are in two places. */
const APART_MS = 20;
const APART_TRIES = 3;

/** Between two questions for the table, at least. */
const REFRESH_MIN_MS = 100;

/** A peer that has no slot is kept for so long after a command was sent on to it: it is about to get one. */
const SPARE_MS = 60_000;

/** How much longer than a sweep the pause behind it is. */
const SWEEP_SHARE = 20;

interface Node {
  readonly address: Address;
  readonly peer: Peer;
  /** When a command was last sent on to it. */
  usedAt: number;
}

interface Gate {
  readonly opened: Promise<void>;
  open(): void;
  /** Commands that have not passed. */
  waiting: number;
}

/** Which node, by slot. */
type Table = readonly (Address | undefined)[];

export class ClusterLink extends Link {
  readonly shown: string;
  readonly keyPrefix: string;
  readonly #place: ClusterPlace;
  readonly #options: LinkOptions;
  /** By address, as the cluster has it. */
  readonly #nodes = new Map<string, Node>();
  /** Who has which slot, and all of these. */
  #owners: (Node | undefined)[] = new Array(SLOTS).fill(undefined);
  #serving = new Set<Node | undefined>();
  /** How many commands of each slot were sent and have no reply yet. */
  readonly #underWay = new Uint32Array(SLOTS);
  /** By slot: commands wait behind those that are under way. */
  readonly #gates = new Map<number, Gate>();
  /** Slots that have moved, whose keys are yet to be forgotten. */
  readonly #moved = new Set<number>();
  #isSweeping = false;
  #first: Promise<void> | undefined; // the first attempt to connect
  #hasTried = false;
  #isClosed = false;
  #isRefreshing = false;
  #refreshedAt = Number.NEGATIVE_INFINITY;
  #failures = 0; // of refreshing, in a row
  #asked: Node | undefined; // for the next table
  #turn = 0;
  #timer: NodeJS.Timeout | undefined;

  constructor(place: ClusterPlace, options: LinkOptions) {
    super();
    this.#place = place;
    this.#options = options;
    this.shown = place.shown;
    this.keyPrefix = place.keyPrefix;
  }

  get state(): LinkState {
    if (this.#isClosed) return 'closed';
    if (this.#first === undefined) return 'idle';
    if (!this.#hasTried) return 'connecting';
    for (const node of this.#serving) if (!node?.peer.isUp) return 'down';
    return this.#serving.size > 0 ? 'up' : 'down';
  }

  get isStarting(): boolean {
    return !this.#hasTried && !this.#isClosed;
  }

  ready(): Promise<void> {
    this.#first ??= this.#refresh().then(() => {
      this.#hasTried = true;
      this.serves();
    });
    return this.#first;
  }

  isUpFor(at: Argument): boolean {
    return this.#owners[slotOf(at)]?.peer.isUp ?? false;
  }

  groups<T>(all: readonly T[], keyOf: (one: T) => Argument): readonly (readonly T[])[] {
    const groups = new Map<number, T[]>();
    for (const one of all) {
      const slot = slotOf(keyOf(one));
      const group = groups.get(slot);
      if (group === undefined) groups.set(slot, [one]);
      else group.push(one);
    }
    return [...groups.values()];
  }

  async call(at: Argument, ...commands: (readonly Argument[])[]): Promise<Reply> {
    const slot = slotOf(at);
    const until = now() + this.#options.timeoutMs;
    const gate = this.#gates.get(slot);
    if (gate !== undefined) {
      gate.waiting++;
      await gate.opened;
      if (--gate.waiting === 0) this.#gates.delete(slot); // who came before all of these have passed waits too
    }
    this.#underWay[slot]!++;
    let node = this.#owners[slot];
    let sent: readonly (readonly Argument[])[] = commands;
    let wasSentOn = false;
    try {
      for (let tries = 0, apart = 0; ; ++tries) {
        if (node === undefined) throw new LinkError('down', `${this.shown}: nobody has slot ${slot}`);
        const left = until - now();
        if (left < 1) throw this.#late();
        try {
          return await node.peer.call(sent, left);
        } catch (error) {
          if (!(error instanceof LinkError) || error.failure !== 'refused') throw error;
          if (tries === REDIRECTS_MAX || this.#isClosed) throw error;
          const [code, , to = ''] = error.message.split(' ');
          if (code === 'MOVED' || code === 'ASK') {
            const next: Node = this.#nodeAt(addressOf(to, node.address.host));
            await this.#untilUp(next, until);
            wasSentOn = true;
            next.usedAt = now();
            if (code === 'MOVED') this.#hasMoved(slot, next);
            sent = code === 'ASK' ? [['ASKING'], ...commands] : commands;
            node = next;
          } else if (code === 'TRYAGAIN') {
            this.#shut(slot);
            if (apart++ === APART_TRIES || now() + APART_MS >= until)
              throw new LinkError('apart', error.message, { cause: error });
            await sleep(APART_MS);
            wasSentOn = true;
            node = this.#owners[slot];
            sent = commands;
          } else {
            if (error.message.startsWith('CLUSTERDOWN The cluster is down')) node.peer.reconnect(error.message);
            throw error;
          }
        }
      }
    } finally {
      if (--this.#underWay[slot]! === 0) this.#open(slot);
      if (wasSentOn) this.changed(bytesOf(at));
    }
  }

  override close(): void {
    this.#isClosed = true;
    clearTimeout(this.#timer);
    super.close();
  }

  override lost(peer: Peer, reason: string, wasUp: boolean): void {
    super.lost(peer, `${peer.shown}: ${reason}`, wasUp);
    if (wasUp) this.#refreshSoon(); // another one may have its slots
  }

  protected *peers(): Iterable<Peer> {
    for (const { peer } of this.#nodes.values()) yield peer;
  }

  #late(): LinkError {
    this.counts.late++;
    return new LinkError(
      'late',
      `${this.shown} did not answer within ${this.#options.timeoutMs} ms: see upstream.timeout`,
    );
  }

  #nodeAt(address: Address): Node {
    const text = textOf(address);
    let node = this.#nodes.get(text);
    if (node === undefined) {
      node = { address, peer: new Peer(this.#place.node(address), this.#options, this.counts, this), usedAt: now() };
      this.#nodes.set(text, node);
    }
    return node;
  }

  async #untilUp({ peer }: Node, until: number): Promise<void> {
    if (peer.isUp) return;
    await Promise.race([peer.ready(), idle(Math.max(0, until - now()))]);
  }

  /** Later commands of this slot wait until those that are under way have their replies. */
  #shut(slot: number): void {
    if (this.#underWay[slot] === 0 || this.#gates.has(slot)) return;
    let open!: () => void;
    const opened = new Promise<void>((resolve) => {
      open = resolve;
    });
    this.#gates.set(slot, { opened, open, waiting: 0 });
  }

  #open(slot: number): void {
    const gate = this.#gates.get(slot);
    if (gate?.waiting === 0) this.#gates.delete(slot);
    gate?.open();
  }

  /** A peer says that this slot is another one's. */
  #hasMoved(slot: number, to: Node): void {
    this.#refreshSoon(to);
    const from = this.#owners[slot];
    if (from === to || !to.peer.isUp) return;
    this.#shut(slot);
    this.#owners[slot] = to;
    this.#serving.add(to);
    if (from?.peer.isUp) this.#sweepSoon(slot);
    else this.forgetAll();
    this.serves();
  }

  /** @param asked  who is to be asked */
  #refreshSoon(asked?: Node): void {
    this.#asked = asked;
    if (this.#isRefreshing || this.#isClosed) return;
    clearTimeout(this.#timer);
    const wait = Math.max(0, this.#refreshedAt + REFRESH_MIN_MS - now());
    this.#timer = setTimeout(() => void this.#refresh(), wait).unref();
  }

  /** Asks for the table, takes it over, and will again. Never rejects. */
  async #refresh(): Promise<void> {
    this.#isRefreshing = true;
    this.#refreshedAt = now();
    const reason = await this.#askForTable().then(
      () => undefined,
      (error: Error) => error.message,
    );
    this.#isRefreshing = false;
    if (this.#isClosed) return;
    if (reason === undefined) this.#failures = 0;
    else if (!this.isUp) this.degrade(`no node says who has which slot: ${reason}`);
    const wait = reason === undefined ? this.#options.heartbeatMs : pauseMs(this.#failures++);
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => void this.#refresh(), wait).unref();
  }

  async #askForTable(): Promise<void> {
    const up = [...this.#nodes.values()].filter(({ peer }) => peer.isUp);
    if (up.length > 0) {
      const asked = this.#asked?.peer.isUp ? this.#asked : up[this.#turn++ % up.length]!;
      this.#asked = undefined;
      const { peer, address } = asked;
      await this.#takeOver(tableOf(await peer.call([['CLUSTER', 'SLOTS']]), address.host));
      return;
    }
    const known = Array.from(this.#nodes.values(), ({ address }) => ({
      host: address.host,
      place: this.#place.node(address),
    }));
    await this.#takeOver(await this.#tableOfAny([...known, ...this.#place.seeds]));
  }

  /** All are asked at once, and the first that answers counts. */
  async #tableOfAny(all: ClusterPlace['seeds']): Promise<Table> {
    const askers: Asker[] = [];
    const ask = async ({ host, place }: ClusterPlace['seeds'][number]) => {
      const asker = new Asker(place.make, this.#options.connectTimeoutMs);
      askers.push(asker);
      try {
        return tableOf(await asker.ask(['CLUSTER', 'SLOTS']), host);
      } catch (error) {
        throw new Error(`${place.shown}: ${(error as Error).message}`, { cause: error });
      }
    };
    try {
      return await Promise.any(all.map(ask));
    } catch (error) {
      throw new Error((error as AggregateError).errors.map(({ message }) => message).join('; '), { cause: error });
    } finally {
      for (const asker of askers) asker.close();
    }
  }

  /** From now on `table` counts. Its new peers are connected before that, as far as they can be. */
  async #takeOver(table: Table): Promise<void> {
    if (this.#isClosed) return;
    // A table has one address for each range of slots.
    const nodes = new Map(Array.from(new Set(table), (address) => [address, address && this.#nodeAt(address)]));
    const owners = table.map((address) => nodes.get(address));
    const serving = new Set(owners);
    await Promise.all(Array.from(serving, (node) => node?.peer.ready()));
    if (this.#isClosed) return;
    let anew = false;
    for (const [slot, node] of owners.entries()) {
      const before = this.#owners[slot];
      if (before === node) continue;
      this.#shut(slot);
      if (before?.peer.isUp) this.#sweepSoon(slot);
      else anew = true;
    }
    const before = this.#serving;
    this.#owners = owners;
    this.#serving = serving;
    for (const [text, node] of this.#nodes) {
      const isSpare = node.peer.isUp && !before.has(node) && now() - node.usedAt < SPARE_MS;
      if (serving.has(node) || isSpare) continue;
      anew ||= node.peer.isUp;
      node.peer.close();
      this.#nodes.delete(text);
    }
    // At the start L0 holds nothing but writes that wait for this moment.
    if (anew && this.#hasTried) this.forgetAll();
    this.serves();
  }

  #sweepSoon(slot: number): void {
    this.#moved.add(slot);
    if (this.#isSweeping) return;
    this.#isSweeping = true;
    void this.#sweep().finally(() => {
      this.#isSweeping = false;
    });
  }

  /** Forgets the keys of slots that have moved. Not all the time, though one slot after the other moves. */
  async #sweep(): Promise<void> {
    while (this.#moved.size > 0 && !this.#isClosed) {
      await idle(0); // with those of the same table
      const moved = new Set(this.#moved);
      this.#moved.clear();
      const begun = now();
      await this.forgetSome((at) => moved.has(slotOf(at)));
      await idle((now() - begun) * SWEEP_SHARE);
    }
  }
}

/** Waits for `ms`, for which no process is kept alive. */
const idle = (ms: number) => new Promise<void>((resolve) => void setTimeout(resolve, ms).unref());

/** The reply to CLUSTER SLOTS, by slot. @param asked  the host that gave it */
function tableOf(reply: unknown, asked: string): Table {
  if (!Array.isArray(reply)) throw new Error('the reply to CLUSTER SLOTS is no list');
  const table: (Address | undefined)[] = new Array(SLOTS).fill(undefined);
  for (const [from, to, [host, port]] of reply as [number, number, [Octets | string | null, number]][]) {
    const name = host === null ? '' : String(host);
    const address = { host: name === '' || name === '?' ? asked : name, port: Number(port) };
    table.fill(address, Number(from), Number(to) + 1);
  }
  return table;
}
