// catalog.ts: every metric there is: its name, its type, its labels, and what it means. docs/METRICS.md has the same
// table, which a test compares.
//
// Names follow Prometheus: base units (seconds, bytes), `_total` for counters. Labels are few and their values bounded:
// names of caches, keyspaces, models, servers, upstreams and commands, or words from this file. Keys and tenants are
// none of them.

export interface Metric {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  /** In the order of a sample's values. */
  readonly labels: readonly string[];
}

/** What became of a lookup. Each has one result, so all results together are the lookups. */
export const RESULTS = ['hit', 'copied', 'miss', 'stale', 'coalesced', 'negative', 'bypass'] as const;
/** Those of them that a keyspace without a model has. */
export const PLAIN_RESULTS = 3;

const KEYSPACE = ['cache', 'keyspace'] as const;
const MODEL = ['cache', 'model'] as const;
const CACHE = ['cache'] as const;
const SERVER = ['cache', 'server'] as const;
const UPSTREAM = ['cache', 'upstream'] as const;

function metrics<Name extends string>(
  list: Record<Name, Omit<Metric, 'name'> & { name?: never }>,
): Record<Name, Metric> {
  return Object.fromEntries(
    Object.entries<Omit<Metric, 'name'>>(list).map(([name, metric]) => [name, { name: `zerohop_${name}`, ...metric }]),
  ) as Record<Name, Metric>;
}

const counter = (help: string, labels: readonly string[]) => ({ type: 'counter', help, labels }) as const;
const gauge = (help: string, labels: readonly string[]) => ({ type: 'gauge', help, labels }) as const;
const histogram = (help: string, labels: readonly string[]) => ({ type: 'histogram', help, labels }) as const;

/** By name without `zerohop_`. */
export const METRICS = metrics({
  build_info: gauge('Always 1; the version of zerohop and of Node.js are labels.', ['version', 'node']),
  cache_start_time_seconds: gauge('When the cache was made, in Unix time: its counters began at 0 then.', CACHE),

  lookups_total: counter('Lookups by result: each lookup has one.', [...KEYSPACE, 'result']),
  near_hits_total: counter('Hits that near caches answered; they are among the hits.', KEYSPACE),
  sets_total: counter('Values that were stored.', KEYSPACE),
  stored_bytes_total: counter('Bytes that stored entries took, with keys and headers.', KEYSPACE),
  refusals_total: counter('Sets that stored nothing, by reason.', [...KEYSPACE, 'reason']),
  evictions_total: counter('Entries that were evicted, by reason.', [...KEYSPACE, 'reason']),
  deletes_total: counter('Entries that were deleted.', KEYSPACE),
  expired_total: counter('Entries that were found expired, and dropped.', KEYSPACE),
  corrupted_total: counter('Entries dropped because a write through a view had changed them.', KEYSPACE),
  entries: gauge('Entries now, including expired ones that nobody has found yet.', KEYSPACE),

  model_run_duration_seconds: histogram('How long runs of the model took.', MODEL),
  model_inputs_total: counter('Inputs that the model ran.', MODEL),
  model_failed_inputs_total: counter('Inputs whose run failed.', MODEL),
  model_timeouts_total: counter('Runs that took longer than their timeout.', MODEL),
  model_verifications_total: counter('Hits that were computed again, by outcome.', [...MODEL, 'outcome']),
  model_saved_seconds_total: counter('Run time that hits saved, at least.', MODEL),

  memory_bytes: gauge('Memory by kind: segments of the arena, and what is needed beside them.', [...CACHE, 'kind']),
  capacity_bytes: gauge('Memory that the arena may take: the live, the free and the retired.', CACHE),
  index_bytes: gauge('Memory of index, tags and policy, which is paid from the capacity.', CACHE),
  resident_bytes: gauge('How much of the arena may be in memory now, at most.', CACHE),
  exposed_bytes: gauge('Segments over which some thread has a buffer.', CACHE),
  keyspaces: gauge('Keyspaces that are open.', CACHE),
  scopes: gauge('Scopes that are open.', CACHE),
  copied_forward_total: counter('Entries that eviction moved to another segment.', CACHE),
  exposures_total: counter('Buffers that were made over segments.', CACHE),
  collections_total: counter('Garbage collections that were made to get buffers back, by kind.', [...CACHE, 'kind']),

  server_clients: gauge('Clients that are connected now.', SERVER),
  server_connections_total: counter('Connections that were accepted.', SERVER),
  server_refused_connections_total: counter('Connections refused: too many, or a foreign host.', SERVER),
  server_commands_total: counter('Commands that ran.', SERVER),
  server_errors_total: counter('Replies that were errors.', SERVER),
  server_received_bytes_total: counter('Bytes that clients sent.', SERVER),
  server_sent_bytes_total: counter('Bytes that clients were sent.', SERVER),
  server_command_duration_seconds: histogram('How long commands took.', [...SERVER, 'command']),

  upstream_up: gauge('Whether Redis behind the cache answers: 1 or 0.', UPSTREAM),
  upstream_lookups_total: counter('Keys that Redis had, had not, or could not be asked for.', [...UPSTREAM, 'result']),
  upstream_loaded_total: counter('Keys that the loader was asked for.', UPSTREAM),
  upstream_waited_total: counter("Keys that waited for another process's loader.", UPSTREAM),
  upstream_fenced_total: counter('Values that were not stored, because their key changed meanwhile.', UPSTREAM),
  upstream_stale_total: counter('Keys of which Redis had a stale value.', UPSTREAM),
  upstream_failed_refreshes_total: counter('Stale values of which the loader failed to make new ones.', UPSTREAM),
  upstream_writes_total: counter('Writes that Redis has, or may not have.', [...UPSTREAM, 'result']),
  upstream_queued_writes: gauge('Writes that wait for Redis.', UPSTREAM),
  upstream_commands_total: counter('Commands that Redis was sent.', UPSTREAM),
  upstream_errors_total: counter('Replies that were late, or errors.', [...UPSTREAM, 'reason']),
  upstream_connections_total: counter('Connections that were made.', UPSTREAM),
  upstream_outages_total: counter('Connections that were lost.', UPSTREAM),
  upstream_invalidations_total: counter('Keys that Redis told of, because others changed them.', UPSTREAM),
  upstream_flushes_total: counter('Times that Redis told of all keys.', UPSTREAM),
});

export type MetricName = keyof typeof METRICS;

/** Times by bounds, as a histogram of Prometheus has them. */
export interface Times {
  /** How many took no longer, for each of BOUNDS. */
  readonly upTo: readonly number[];
  readonly count: number;
  readonly seconds: number;
}

/** @param raw as native code tells them: the counts by bounds, how many there were, and their ns together */
export function timesOf(raw: Float64Array): Times {
  const [count, ns] = raw.subarray(-2) as unknown as [number, number];
  return { upTo: [...raw.subarray(0, -2)], count, seconds: ns / 1e9 };
}

export interface Sample {
  /** In the order of the metric's labels. */
  readonly labels: readonly string[];
  readonly value: number | Times;
}

/** A metric and its values. */
export interface Family {
  readonly metric: Metric;
  readonly samples: readonly Sample[];
}
