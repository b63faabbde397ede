// snapshot.ts: what the dashboard shows at a moment, made of the counts of a cache, its models and its servers.
//
// A recorder remembers what it saw before, so that it can tell rates: five minutes of points for the charts, and for
// each keyspace how many lookups it had lately. It reads a slice at a time, as collector.ts does. It costs nothing as
// long as nobody asks.
//
// Owner  feed.ts, which asks once a second while somebody watches, and never twice at a time.
// Limits a list tells LISTED and sums the others; a name has NAME_MAX characters.

import { TIME_BUCKETS } from '../addon/native.js';
import { now as clock } from '../base/time.js';
import type { Cache } from '../cache/cache.js';
import { upstreamsOf } from '../cache/upstreams.js';
import type { Server } from '../resp/serve.js';
import { pause, type Reading, Source } from './collector.js';
import { version } from './families.js';
import type {
  CommandFigures,
  KeyspaceFigures,
  ModelFigures,
  MoneyFigures,
  Point,
  Quantiles,
  Rate,
  ServerFigures,
  Snapshot,
  Top,
  UpstreamFigures,
} from './figures.js';
import type { ModelRow, Row } from './keyspaces.js';
import { printable } from './labels.js';
import { quantilesOf, Window } from './quantiles.js';
import { type MoneyOptions, type MoneyReport, report } from './report.js';

const POINTS = 300; // 5 minutes
const LISTED = 10;
const NAME_MAX = 120;
/** As many labels as a cache can have keyspaces: the hottest may be the one that was opened last. */
const LABELS = 1024;
const MINUTE_S = 60;

/** A report reads all periods of all ledgers. It may take this share of the time, and is made this often at most. */
const REPORT_SHARE = 0.002;
const REPORT_MS_MIN = 5000;

/** Histograms that are summed before the event loop goes on. */
const SUMMED = 64;

const LOOKUPS = [0, 1, 2, 3, 4, 5]; // all results but `bypass`
const HITS = [0, 1, 3]; // hit, copied, stale

/** A count that grows: how fast, over about a minute. */
class Speed {
  #last: number | undefined;
  #minute = 0;
  #seconds = 0;
  #total = 0;

  /** `seconds`: since the last call. */
  see(total: number, seconds: number): void {
    this.#total = total;
    if (this.#last !== undefined && seconds > 0) {
      const kept = Math.exp(-seconds / MINUTE_S);
      this.#minute = this.#minute * kept + Math.max(0, total - this.#last);
      this.#seconds = this.#seconds * kept + seconds;
    }
    this.#last = total;
  }

  get rate(): Rate {
    return { perSecond: this.#seconds === 0 ? null : this.#minute / this.#seconds, total: this.#total };
  }
}

/** The speeds of those that are known by a name or as an object. */
class Speeds<Of> {
  readonly #of: { get(of: Of): Speed | undefined; set(of: Of, speed: Speed): unknown };

  /** @param of  a WeakMap forgets those that are gone */
  constructor(of: { get(of: Of): Speed | undefined; set(of: Of, speed: Speed): unknown } = new Map<Of, Speed>()) {
    this.#of = of;
  }

  see(of: Of, total: number, seconds: number): Rate {
    let speed = this.#of.get(of);
    if (speed === undefined) {
      speed = new Speed();
      this.#of.set(of, speed);
    }
    speed.see(total, seconds);
    return speed.rate;
  }
}

/** Counts that points are made of. */
interface Counted {
  readonly at: number;
  readonly lookups: number;
  readonly hits: number;
  readonly capacity: number;
  readonly maxEntries: number;
  readonly expired: number;
  readonly deleted: number;
}

/** A moment: for the charts, and what it was made of. */
interface Moment {
  readonly point: Point;
  readonly counted: Counted;
}

export class Recorder {
  readonly #source: Source;
  readonly #cache: WeakRef<Cache>;
  readonly #money: MoneyOptions;
  readonly #moments: Moment[] = [];
  #latency = new Window();
  readonly #ofKeyspaces = new Speeds<Row>();
  readonly #ofCommands = new Speeds<string>();
  readonly #serverCommands = new Speeds<Server>(new WeakMap<Server, Speed>());
  readonly #serverErrors = new Speeds<Server>(new WeakMap<Server, Speed>());
  readonly #upstreamRequests = new Speeds<string>();
  readonly #upstreamErrors = new Speeds<string>();
  readonly #lookups = new Speed();
  #latencyOf: 'commands' | 'runs' | undefined;
  #report: MoneyReport | undefined;
  #nextReport = 0;

  constructor(cache: Cache, name: string, money: MoneyOptions = {}) {
    this.#source = new Source(cache, name, LABELS, true);
    this.#cache = new WeakRef(cache);
    this.#money = money;
  }

  /** Of the last five minutes, as far as somebody watched. */
  get history(): Point[] {
    return this.#moments.map(({ point }) => point);
  }

  /** Undefined: the cache is closed. To be called when the call before has settled. `now`: ms since 1970. */
  async snapshot(now: number): Promise<Snapshot | undefined> {
    const reading = await this.#source.read();
    if (reading === undefined) return undefined;
    const { stats, rows, models, servers } = reading;
    if (now <= (this.#moments.at(-1)?.point.at ?? 0)) this.#moments.length = 0; // the clock went back
    const before = this.#moments.at(-1)?.counted;
    const seconds = before === undefined ? 0 : (now - before.at) / 1000;
    const commands = timesOf(servers);
    const runs = await sumOf(models.flatMap(({ buckets }) => buckets ?? []));
    this.#seeLatency(now, commands, models.length > 0 ? runs : undefined);
    const counted = countsOf(now, reading);
    const point = this.#pointOf(counted, before, stats.bytes);
    this.#lookups.see(counted.lookups, seconds);
    this.#moments.push({ point, counted });
    while (this.#moments.length > POINTS || this.#moments[0]!.point.at < now - POINTS * 1000) this.#moments.shift();
    await pause();
    const keyspaces = this.#keyspacesOf(rows, seconds);
    await pause();
    const money = this.#moneyOf(models);
    return {
      version,
      cache: named(this.#source.name),
      startedAt: reading.startSeconds * 1000,
      point,
      hitRate: { minute: this.#hitRateOfMinute(), total: share(counted.hits, counted.lookups) },
      lookups: this.#lookups.rate,
      entries: stats.entries,
      memory: {
        capacity: stats.bytes.capacity,
        live: stats.bytes.live,
        retired: stats.bytes.retired,
        free: stats.bytes.free,
        fixed: stats.bytes.fixed,
        resident: stats.bytes.resident,
        index: stats.bytes.index,
      },
      evicting: stats.evicting,
      left: {
        capacity: counted.capacity,
        maxEntries: counted.maxEntries,
        expired: counted.expired,
        deleted: counted.deleted,
        corrupted: stats.corrupted,
      },
      refused: stats.refusalsBy,
      latency: this.#latencyOf === undefined ? null : { of: this.#latencyOf, times: this.#latency.minute() },
      keyspaces,
      models: modelsOf(models, runs, this.#report),
      money,
      servers: this.#serversOf(servers, seconds),
      commands: this.#commandsOf(commands, seconds),
      upstreams: this.#upstreamsOf(seconds),
    };
  }

  /** Runs where there are models, which a miss waits for; else commands. */
  #seeLatency(now: number, commands: ReadonlyMap<string, Float64Array>, runs: Float64Array | undefined): void {
    const of = runs !== undefined ? 'runs' : commands.size > 0 ? 'commands' : this.#latencyOf;
    if (of !== this.#latencyOf) this.#latency = new Window();
    this.#latencyOf = of;
    this.#latency.add(now, runs ?? sumAtOnce([...commands.values()]));
  }

  #pointOf(counted: Counted, before: Counted | undefined, bytes: Reading['stats']['bytes']): Point {
    const rate = (name: keyof Counted) =>
      before === undefined ? null : (Math.max(0, counted[name] - before[name]) / (counted.at - before.at)) * 1000;
    const quantiles = this.#latency.moment();
    return {
      at: counted.at,
      lookups: rate('lookups'),
      hitRate: before === undefined ? null : share(counted.hits - before.hits, counted.lookups - before.lookups),
      p50: quantiles?.p50 ?? null,
      p99: quantiles?.p99 ?? null,
      live: bytes.live,
      retired: bytes.retired,
      free: bytes.free,
      fixed: bytes.fixed,
      capacity: rate('capacity'),
      maxEntries: rate('maxEntries'),
      expired: rate('expired'),
      deleted: rate('deleted'),
    };
  }

  #hitRateOfMinute(): number | null {
    const last = this.#moments.at(-1)!.counted;
    const first = this.#moments.find(({ counted }) => counted.at >= last.at - MINUTE_S * 1000)!.counted;
    return share(last.hits - first.hits, last.lookups - first.lookups);
  }

  /** The hottest of the last minute; among equals, those with the most lookups ever. */
  #keyspacesOf(rows: readonly Row[], seconds: number): Top<KeyspaceFigures> {
    const all = rows.map((row) => ({ row, lookups: this.#ofKeyspaces.see(row, lookupsOf(row), seconds) }));
    all.sort((a, b) => heat(b.lookups) - heat(a.lookups) || b.lookups.total - a.lookups.total);
    const used = all.filter(({ row, lookups }) => lookups.total > 0 || row.entries > 0);
    const figures = ({ row, lookups }: (typeof all)[number]): KeyspaceFigures => ({
      name: named(row.labels[1]!),
      lookups,
      hitRate: share(hitsOf(row), lookups.total),
      entries: row.entries,
    });
    const rest = used.slice(LISTED);
    const lookups = sumRates(rest.map((one) => one.lookups));
    const hits = rest.reduce((sum, { row }) => sum + hitsOf(row), 0);
    const entries = rest.reduce((sum, { row }) => sum + row.entries, 0);
    return {
      shown: used.slice(0, LISTED).map(figures),
      others: rest.length === 0 ? null : { count: rest.length, lookups, hitRate: share(hits, lookups.total), entries },
    };
  }

  /** A report now and then: it takes longer, the more models there are, and the longer they have run. */
  #moneyOf(models: readonly ModelRow[]): MoneyFigures | null {
    const cache = this.#cache.deref();
    if (models.length === 0 || cache === undefined) return null;
    const begun = clock();
    if (begun >= this.#nextReport) {
      this.#report = report(cache, this.#money);
      const took = clock() - begun;
      this.#nextReport = begun + Math.max(REPORT_MS_MIN, took / REPORT_SHARE);
    }
    const { total, tables, models: all } = this.#report!;
    return {
      savedSeconds: total.seconds.saved[0],
      savedUsd: all.length > total.unpricedModels ? total.usd.saved[0] : null,
      unpricedModels: total.unpricedModels,
      tables: tables.slice(0, LISTED).map(({ name, date }) => named(`${name}, ${date}`)),
    };
  }

  #serversOf(servers: readonly Server[], seconds: number): ServerFigures[] {
    return servers.slice(0, LISTED).flatMap((server) => {
      try {
        const stats = server.stats();
        return {
          address: named(server.addresses[0] ?? ''),
          clients: stats.clients,
          commands: this.#serverCommands.see(server, stats.commands, seconds),
          errors: this.#serverErrors.see(server, stats.errors, seconds),
          refusedConnections: stats.refusedConnections,
        };
      } catch {
        return []; // it was closed meanwhile
      }
    });
  }

  #commandsOf(commands: ReadonlyMap<string, Float64Array>, seconds: number): Top<CommandFigures> {
    const all = [...commands].map(([name, buckets]) => {
      const times = quantilesOf(buckets);
      return { name, calls: this.#ofCommands.see(name, times?.count ?? 0, seconds), times, buckets };
    });
    all.sort((a, b) => heat(b.calls) - heat(a.calls) || b.calls.total - a.calls.total);
    const rest = all.slice(LISTED);
    return {
      shown: all.slice(0, LISTED).map(({ name, calls, times }) => ({ name, calls, times })),
      others:
        rest.length === 0
          ? null
          : {
              count: rest.length,
              calls: sumRates(rest.map(({ calls }) => calls)),
              times: quantilesOf(sumAtOnce(rest.map(({ buckets }) => buckets))),
            },
    };
  }

  #upstreamsOf(seconds: number): UpstreamFigures[] {
    const cache = this.#cache.deref();
    const all = cache === undefined ? [] : upstreamsOf(cache).slice(0, LISTED);
    // Two may have one name: they are told apart by their places.
    return all.map(({ name, healthy, state, requests, errors, buckets }, i) => ({
      name: named(name),
      healthy,
      state: named(state),
      requests: this.#upstreamRequests.see(`${i} ${name}`, requests, seconds),
      errors: this.#upstreamErrors.see(`${i} ${name}`, errors, seconds),
      times: buckets === undefined ? null : quantilesOf(buckets),
    }));
  }
}

const share = (part: number, whole: number): number | null =>
  whole > 0 ? Math.min(1, Math.max(0, part / whole)) : null;
const heat = ({ perSecond }: Rate): number => perSecond ?? 0;
const add = (row: Row, results: readonly number[]) => results.reduce((sum, result) => sum + row.results[result]!, 0);
const lookupsOf = (row: Row): number => add(row, LOOKUPS);
const hitsOf = (row: Row): number => add(row, HITS);

function countsOf(at: number, { stats, rows }: Reading): Counted {
  return {
    at,
    lookups: rows.reduce((sum, row) => sum + lookupsOf(row), 0),
    hits: rows.reduce((sum, row) => sum + hitsOf(row), 0),
    capacity: stats.evictionsBy.capacity,
    maxEntries: stats.evictionsBy.maxEntries,
    expired: stats.expired,
    deleted: stats.deletes,
  };
}

/** How long commands took, of all servers together, by name. */
function timesOf(servers: readonly Server[]): Map<string, Float64Array> {
  const all = new Map<string, Float64Array>();
  for (const server of servers) {
    try {
      for (const [name, buckets] of server.buckets()) {
        const known = all.get(name);
        all.set(name, known === undefined ? buckets : sumAtOnce([known, buckets]));
      }
    } catch {} // it was closed meanwhile
  }
  return all;
}

function sumAtOnce(all: readonly Float64Array[], sum = new Float64Array(TIME_BUCKETS)): Float64Array {
  for (const one of all) for (let i = 0; i < TIME_BUCKETS; ++i) sum[i]! += one[i]!;
  return sum;
}

/** Of many. */
async function sumOf(all: readonly Float64Array[]): Promise<Float64Array> {
  const sum = new Float64Array(TIME_BUCKETS);
  for (let from = 0; from < all.length; from += SUMMED) {
    if (from > 0) await pause();
    sumAtOnce(all.slice(from, from + SUMMED), sum);
  }
  return sum;
}

function sumRates(rates: readonly Rate[]): Rate {
  const known = rates.flatMap(({ perSecond }) => perSecond ?? []);
  return {
    perSecond: known.length === 0 ? null : known.reduce((sum, one) => sum + one, 0),
    total: rates.reduce((sum, { total }) => sum + total, 0),
  };
}

/** Those that saved most; before anything is saved, those that ran most. `runs`: how long those of all models took. */
function modelsOf(rows: readonly ModelRow[], runs: Float64Array, money: MoneyReport | undefined): Top<ModelFigures> {
  const saved = savedByName(money);
  const all = rows.map((row) => ({ row, saved: saved.get(row.labels[1]!) ?? { seconds: null, usd: null } }));
  all.sort((a, b) => (b.saved.seconds ?? 0) - (a.saved.seconds ?? 0) || lookupsOf(b.row) - lookupsOf(a.row));
  const figures = (some: typeof all, of: Quantiles | null): Omit<ModelFigures, 'name'> => {
    const total = (count: (row: ModelRow) => number) => some.reduce((sum, { row }) => sum + count(row), 0);
    const known = (amounts: (number | null)[]) => {
      const those = amounts.filter((one) => one !== null);
      return those.length === 0 ? null : those.reduce((sum, one) => sum + one, 0);
    };
    const hits = total(hitsOf);
    return {
      hits,
      hitRate: share(hits, total(lookupsOf)),
      runs: of,
      failures: total((row) => row.get('runFailures')),
      savedSeconds: known(some.map((one) => one.saved.seconds)),
      savedUsd: known(some.map((one) => one.saved.usd)),
    };
  };
  const [first, rest] = [all.slice(0, LISTED), all.slice(LISTED)];
  const ofFirst = sumAtOnce(first.map(({ row }) => row.buckets!));
  return {
    shown: first.map((one) => ({ name: named(one.row.labels[1]!), ...figures([one], quantilesOf(one.row.buckets!)) })),
    others: rest.length === 0 ? null : { count: rest.length, ...figures(rest, quantilesOf(runs, ofFirst)) },
  };
}

/** What models saved at least, all versions of a name together. */
function savedByName(money: MoneyReport | undefined): Map<string, { seconds: number; usd: number | null }> {
  const saved = new Map<string, { seconds: number; usd: number | null }>();
  for (const { model, seconds, usd } of money?.models ?? []) {
    const name = printable(model);
    const known = saved.get(name) ?? { seconds: 0, usd: null };
    const paid = usd === null ? known.usd : (known.usd ?? 0) + usd.saved[0];
    saved.set(name, { seconds: known.seconds + seconds.saved[0], usd: paid });
  }
  return saved;
}

/** A name of bounded length, in whole characters. */
function named(name: string): string {
  if (name.length <= NAME_MAX) return name;
  return `${Array.from(name.slice(0, NAME_MAX)).slice(0, -1).join('')}…`;
}
