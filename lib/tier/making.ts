// making.ts: has the loader make what Redis has not, in one process of many, and gives that to Redis and L0.
//
//   missing ──► who gets the lease of a key asks the loader, once for all such keys ──► what it makes is published
//           └► the others look again when the key changes, or when the lease is over
//
//   stale   ──► who gets the lease of a key asks the loader, and nobody waits

import { clearInterval, clearTimeout, now, setInterval, setTimeout } from '../base/time.js';
import { Asking } from './asking.js';
import { Flight } from './flights.js';
import { copied, px } from './forms.js';
import { closed, type L0 } from './l0.js';
import { giveValue, keepLeases, newToken, replaceValue, takeLeases, takeStale } from './leases.js';
import type { Octets } from './redis.js';

/** After a key has changed that somebody waits for: with those of the same batch. */
const WAKE_MS = 2;

/** More of these keys are not read again. A Redis that does not tell of our own scripts never takes them off. */
const GIVEN_MAX = 10_000;

type Made = { readonly flight: Flight; readonly stored: Uint8Array };

export class Making {
  readonly #l0: L0;
  readonly #again: (flights: readonly Flight[]) => void;
  readonly #asking: Asking | undefined;
  /** Those that wait for another process: all of them, and the one to wake for a key. */
  readonly #waiting = new Set<() => void>();
  readonly #wakes = new Map<string, () => void>();
  /** Keys that a script of ours may have stored a moment ago, and the cost of each. */
  readonly #given = new Map<string, number>();

  /** @param again  looks for keys once more */
  constructor(l0: L0, again: (flights: readonly Flight[]) => void) {
    this.#l0 = l0;
    this.#again = again;
    const { loader, loaderTimeoutMs } = l0.parts.options;
    if (loader !== undefined) this.#asking = new Asking(loader, loaderTimeoutMs);
  }

  /** Has one process ask its loader for what is wanted, if there are leases; the others wait for what it stores. */
  async make(flights: readonly Flight[]): Promise<void> {
    const { link, options } = this.#l0.parts;
    const { model } = this.#l0.parts;
    const canMake = this.#asking !== undefined || model !== undefined;
    const wanted = canMake ? flights.filter(({ isWanted }) => isWanted) : [];
    const wants = new Set(wanted);
    for (const flight of flights) if (!wants.has(flight)) this.#l0.flights.end(flight, undefined);
    // Who has waited for others for so long waits no more.
    const patienceMs = ({ since }: Flight) => since + options.loaderTimeoutMs - now();
    const leased = wanted.filter(
      (flight) => options.leaseMs !== 0 && link.isUpFor(flight.at) && patienceMs(flight) > 0,
    );
    if (leased.length > 0) {
      const token = newToken();
      const keys = leased.map(({ at }) => at);
      const taken = await takeLeases(link, keys, token, options.leaseMs);
      const rest: Flight[] = [];
      let waitMs = Number.POSITIVE_INFINITY;
      for (const [i, flight] of leased.entries()) {
        const one = taken[i]!;
        if (one === 'ours') flight.lease = token;
        if (one === 'ours' || one === 'none' || (one === 'value' && flight.unreadable > 1)) continue;
        wants.delete(flight);
        rest.push(flight);
        waitMs = Math.min(waitMs, one === 'value' ? 0 : one.othersForMs, Math.max(1, patienceMs(flight)));
      }
      if (rest.length > 0) this.#waitForOthers(rest, waitMs);
    }
    if (wants.size === 0) return;
    if (model === undefined) await this.#ask([...wants]);
    else model.make([...wants]);
  }

  /** Has one process make new values of stale ones. Nobody waits for them: who asks has the stale ones. */
  async refresh(stale: readonly Flight[]): Promise<void> {
    const { flights, parts } = this.#l0;
    const { leaseMs, staleMs } = parts.options;
    const refreshes = stale
      .filter(({ id, isFenced, isWanted }) => isWanted && !isFenced && !flights.isRefreshed(id))
      .map((flight) => Object.assign(new Flight(flight.id, flight.key, flight.at, true), { cost: flight.cost }));
    if (refreshes.length === 0) return;
    for (const refresh of refreshes) flights.addRefresh(refresh);
    const token = newToken();
    const keys = refreshes.map(({ at }) => at);
    const ends = await takeStale(parts.link, keys, token, leaseMs, staleMs);
    const ours: Flight[] = [];
    for (const [i, refresh] of refreshes.entries()) {
      refresh.stale = ends[i];
      if (refresh.stale === undefined) flights.end(refresh, undefined);
      else {
        refresh.lease = token;
        ours.push(refresh);
      }
    }
    if (ours.length > 0) await this.#ask(ours);
  }

  /**
   * A key has changed. If it is to be read again, gives its cost: Redis may tell of what our own script stored.
   */
  changed(id: string): number | undefined {
    const wake = this.#wakes.get(id);
    if (wake !== undefined) setTimeout(wake, WAKE_MS);
    const cost = this.#given.get(id);
    this.#given.delete(id);
    return cost;
  }

  forgetAll(): void {
    this.#given.clear();
  }

  /** Those that wait for another process look again. */
  wakeAll(): void {
    for (const wake of [...this.#waiting]) wake();
  }

  end(reason: Error): void {
    this.#asking?.end(reason);
    this.wakeAll();
  }

  /** Looks for these again when one of them changes, or when the lease of another process is over. */
  #waitForOthers(flights: readonly Flight[], ms: number): void {
    const again = () => {
      if (!this.#waiting.delete(again)) return;
      clearTimeout(timer);
      for (const { id } of flights) if (this.#wakes.get(id) === again) this.#wakes.delete(id);
      this.#again(flights);
    };
    const timer = setTimeout(again, ms);
    this.#waiting.add(again);
    if (ms === 0) return; // there is a value now
    this.#l0.counts.waited += flights.length;
    for (const { id } of flights) this.#wakes.set(id, again);
  }

  /** Asks the loader, gives what it has, and tells Redis of it. */
  async #ask(flights: readonly Flight[]): Promise<void> {
    const { counts, flights: all, isClosed, parts } = this.#l0;
    const { leaseMs, writes } = parts.options;
    if (isClosed) {
      for (const flight of flights) all.fail(flight, closed());
      return;
    }
    // From now on Redis itself refuses what comes too late. Where it is not told, only its pushes can.
    const isRefresh = flights[0]!.stale !== undefined;
    if (!isRefresh) all.open(flights.filter(({ at }) => writes !== 'local' || !parts.link.isUpFor(at)));
    counts.loaded += flights.length;
    const isLeased = flights.some(({ lease }) => lease !== undefined);
    const timer = isLeased ? setInterval(() => this.keepLeases(flights, leaseMs), leaseMs / 3) : undefined;
    let made: Made[];
    try {
      const values = await this.#asking!.ask(flights.map(({ key }) => key));
      made = flights.flatMap((flight, i) => {
        const value = values[i];
        return value === undefined || value === null ? [] : [{ flight, stored: copied(parts.encode(value)) }];
      });
    } catch (error) {
      // The lease of a refresh ends by itself, so that the loader is not asked again at once.
      if (isRefresh) counts.failedRefreshes += flights.length;
      else this.keepLeases(flights, 0);
      for (const flight of flights) all.fail(flight, error);
      return;
    } finally {
      clearInterval(timer);
    }
    const has = new Set(made.map(({ flight }) => flight));
    for (const flight of flights) if (!has.has(flight)) all.end(flight, undefined);
    if (isRefresh) all.openEnded(flights);
    // Nothing will be stored for these, so others need not wait.
    this.keepLeases(
      flights.filter((flight) => flight.isFenced || (!isRefresh && !has.has(flight))),
      0,
    );
    for (const { flight, stored } of made) flight.resolve(stored);
    const ttlMs = this.#l0.ttl();
    const publish = (one: Made) => this.#publish(one, ttlMs).catch((error) => all.fail(one.flight, error));
    await Promise.all(made.map(publish));
  }

  /** @param ms  0: the leases that we have of these end. */
  keepLeases(flights: readonly Flight[], ms: number): void {
    const ours = flights.filter(({ lease }) => lease !== undefined);
    if (ours.length === 0) return;
    const keys = ours.map(({ at }) => at);
    keepLeases(this.#l0.parts.link, keys, ours[0]!.lease!, ms);
    // Who asked here after the fence had closed waits for these leases, and nobody else tells of their end.
    if (ms === 0) for (const { id } of ours) this.#wakes.get(id)?.();
  }

  /** Redis and L0 get what the loader made, unless there is another value already, or another holder of the lease. */
  async #publish({ flight, stored }: Made, ttlMs: number): Promise<void> {
    const { counts, flights: all, parts } = this.#l0;
    const { form, link, options } = parts;
    const isUp = link.isUpFor(flight.at);
    if (options.writes === 'local' || !isUp) {
      const isAlone = !isUp || flight.isUnknown;
      this.#l0.keep(flight, stored, isAlone ? Math.min(ttlMs, options.aloneTtlMs) : ttlMs);
      all.end(flight, stored);
      return;
    }
    try {
      if (flight.isFenced) counts.fenced++;
      else {
        const sent = now();
        if (await this.give(flight, form.toRedis(stored), ttlMs)) {
          counts.writes++;
          this.#l0.keep(flight, stored, ttlMs - (now() - sent));
        } else counts.fenced++;
      }
    } catch {
      counts.lostWrites++;
      this.#l0.delete(flight.key); // Redis may have it all the same, in place of the stale value that L0 has
    }
    all.end(flight, stored);
    if (flight.stale !== undefined) this.#wakes.get(flight.id)?.(); // who asked after the stale value had ended
  }

  /** Stores in Redis what has no value there, or is to be replaced. Whether it did. @throws {LinkError} */
  async give({ id, at, cost, lease, replaces, stale }: Flight, bytes: Octets, ttlMs: number): Promise<boolean> {
    const { link, options } = this.#l0.parts;
    const lifetime = px(ttlMs + options.staleMs);
    link.wrote(this.#l0.bytesOf(id), this.#l0.tracker);
    if (ttlMs !== Number.POSITIVE_INFINITY) this.#l0.lasting.changed(id);
    if (lease === undefined) {
      const command = ['SET', at, bytes, ...(replaces ? [] : ['NX']), ...lifetime];
      return (await link.call(at, command)) !== null;
    }
    if (this.#given.size < GIVEN_MAX) this.#given.set(id, cost);
    const [, ttl = ''] = lifetime;
    if (stale !== undefined) return replaceValue(link, at, lease, bytes, ttl, stale);
    return giveValue(link, at, lease, bytes, ttl, replaces);
  }
}
