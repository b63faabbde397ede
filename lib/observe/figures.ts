// figures.ts: what the dashboard page is sent: JSON of these shapes, once a second. The page (lib/observe/page) is
// compiled with the same types, so this file imports nothing.
//
// Everything is bounded: lists have a length at most, names too, and what is left out of a list is summed in its
// `others`. Keys and tenants are nowhere. Null means: not known, or nothing happened.

/** A moment of the charts. Rates are of the second before it, by the second. */
export interface Point {
  /** ms since 1970. */
  readonly at: number;
  readonly lookups: number | null;
  readonly hitRate: number | null;
  /** Seconds, of the last 10 to 20 s. */
  readonly p50: number | null;
  readonly p99: number | null;
  /** Bytes, by kind. */
  readonly live: number;
  readonly retired: number;
  readonly free: number;
  readonly fixed: number;
  /** What left the cache, by reason. */
  readonly capacity: number | null;
  readonly maxEntries: number | null;
  readonly expired: number | null;
  readonly deleted: number | null;
}

/** Seconds that a share of something took at most. */
export interface Quantiles {
  readonly count: number;
  readonly p50: number;
  readonly p90: number;
  readonly p99: number;
  readonly p999: number;
}

/** Of the last minute, by the second, and since the cache was made. */
export interface Rate {
  readonly perSecond: number | null;
  readonly total: number;
}

export interface KeyspaceFigures {
  readonly name: string;
  readonly lookups: Rate;
  /** Since the cache was made. */
  readonly hitRate: number | null;
  readonly entries: number;
}

export interface ModelFigures {
  readonly name: string;
  readonly hits: number;
  readonly hitRate: number | null;
  /** How long runs took, since the cache was made. */
  readonly runs: Quantiles | null;
  readonly failures: number;
  /** Seconds, at least. Null: its ledger has nothing yet. */
  readonly savedSeconds: number | null;
  /** US dollars, at least. Null: there is no price. */
  readonly savedUsd: number | null;
}

/** What the models saved, at least; `zerohop/report` tells how it is counted. */
export interface MoneyFigures {
  readonly savedSeconds: number;
  /** Null: no model has a price. */
  readonly savedUsd: number | null;
  readonly unpricedModels: number;
  /** The price tables, with their dates. */
  readonly tables: readonly string[];
}

export interface CommandFigures {
  readonly name: string;
  readonly calls: Rate;
  /** Since the server was started. */
  readonly times: Quantiles | null;
}

export interface ServerFigures {
  readonly address: string;
  readonly clients: number;
  readonly commands: Rate;
  readonly errors: Rate;
  readonly refusedConnections: number;
}

/** The Redis behind this cache, which it asks when it has nothing. */
export interface UpstreamFigures {
  readonly name: string;
  /** Whether it answers. */
  readonly healthy: boolean;
  /** What it does or why not, in a few words. */
  readonly state: string;
  readonly requests: Rate;
  readonly errors: Rate;
  readonly times: Quantiles | null;
}

/** A list of those that matter most, and the sum of the others. */
export interface Top<Figures> {
  readonly shown: readonly Figures[];
  readonly others: (Omit<Figures, 'name'> & { readonly count: number }) | null;
}

export interface Snapshot {
  readonly version: string;
  /** The name that the cache was given for metrics. */
  readonly cache: string;
  /** ms since 1970. */
  readonly startedAt: number;
  readonly point: Point;
  readonly hitRate: { readonly minute: number | null; readonly total: number | null };
  readonly lookups: Rate;
  readonly entries: number;
  /** Bytes. */
  readonly memory: {
    readonly capacity: number;
    readonly live: number;
    readonly retired: number;
    readonly free: number;
    readonly fixed: number;
    readonly resident: number;
    readonly index: number;
  };
  readonly evicting: boolean;
  /** Since the cache was made. */
  readonly left: Readonly<Record<'capacity' | 'maxEntries' | 'expired' | 'deleted' | 'corrupted', number>>;
  readonly refused: Readonly<Record<'pinned' | 'readers' | 'memory' | 'worth', number>>;
  /** Of the last minute: runs of models if there are some, else commands of servers. Null: there is neither. */
  readonly latency: { readonly of: 'commands' | 'runs'; readonly times: Quantiles | null } | null;
  readonly keyspaces: Top<KeyspaceFigures>;
  readonly models: Top<ModelFigures>;
  /** Null: there is no model. */
  readonly money: MoneyFigures | null;
  readonly servers: readonly ServerFigures[];
  readonly commands: Top<CommandFigures>;
  readonly upstreams: readonly UpstreamFigures[];
}
