// families.ts: from the figures of a cache to samples of metrics.

import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { CacheStats } from '../cache/stats.js';
import { sumOf, type UpstreamState } from '../cache/upstreams.js';
import type { Server } from '../resp/serve.js';
import { type Family, METRICS, type MetricName, PLAIN_RESULTS, RESULTS, type Sample, timesOf } from './catalog.js';
import type { ModelRow, Row } from './keyspaces.js';
import { printable } from './labels.js';

export const { version } = JSON.parse(readFileSync(path.join(__dirname, '..', '..', 'package.json'), 'utf8')) as {
  version: string;
};

/** Collects samples; gives every metric that has one. */
export class Families {
  readonly #samples = new Map<MetricName, Sample[]>();

  constructor() {
    this.#add('build_info', [version, process.versions.node], 1);
  }

  list(): Family[] {
    const names = Object.keys(METRICS) as MetricName[];
    return names.flatMap((name) => {
      const samples = this.#samples.get(name);
      return samples === undefined ? [] : [{ metric: METRICS[name], samples }];
    });
  }

  putCache(cache: string, stats: CacheStats, startSeconds: number): void {
    const { bytes } = stats;
    const of = [cache];
    this.#add('cache_start_time_seconds', of, startSeconds);
    for (const kind of ['live', 'free', 'retired', 'fixed'] as const)
      this.#add('memory_bytes', [cache, kind], bytes[kind]);
    this.#add('capacity_bytes', of, bytes.capacity);
    this.#add('index_bytes', of, bytes.index);
    this.#add('resident_bytes', of, bytes.resident);
    this.#add('exposed_bytes', of, bytes.exposed);
    this.#add('keyspaces', of, stats.keyspaces.open);
    this.#add('scopes', of, stats.scopes.open);
    this.#add('copied_forward_total', of, stats.copiedForward);
    this.#add('exposures_total', of, stats.exposures);
    this.#add('collections_total', [cache, 'young'], stats.youngCollections);
    this.#add('collections_total', [cache, 'full'], stats.forcedCollections);
  }

  putKeyspace(row: Row): void {
    const of = row.labels;
    for (const [place, result] of RESULTS.entries())
      if (row.ofModel || place < PLAIN_RESULTS) this.#add('lookups_total', row.labelsAnd(result), row.results[place]!);
    this.#add('near_hits_total', of, row.get('nearHits'));
    this.#add('sets_total', of, row.get('sets'));
    this.#add('stored_bytes_total', of, row.get('storedBytes'));
    this.#add('refusals_total', row.labelsAnd('pinned'), row.get('refusedPinned'));
    this.#add('refusals_total', row.labelsAnd('readers'), row.get('refusedReaders'));
    this.#add('refusals_total', row.labelsAnd('memory'), row.get('refusedMemory'));
    this.#add('refusals_total', row.labelsAnd('worth'), row.get('refusedWorth'));
    this.#add('evictions_total', row.labelsAnd('capacity'), row.get('evicted'));
    this.#add('evictions_total', row.labelsAnd('max_entries'), row.get('trimmed'));
    this.#add('deletes_total', of, row.get('deletes'));
    this.#add('expired_total', of, row.get('expired'));
    this.#add('corrupted_total', of, row.get('corrupted'));
    this.#add('entries', of, row.entries);
  }

  putModel(row: ModelRow): void {
    const of = row.labels;
    const mismatches = row.get('mismatches');
    this.#add('model_run_duration_seconds', of, row.times);
    this.#add('model_inputs_total', of, row.get('runInputs'));
    this.#add('model_failed_inputs_total', of, row.get('runFailures'));
    this.#add('model_timeouts_total', of, row.get('runTimeouts'));
    this.#add('model_verifications_total', row.labelsAnd('match'), row.get('verified') - mismatches);
    this.#add('model_verifications_total', row.labelsAnd('mismatch'), mismatches);
    this.#add('model_saved_seconds_total', of, row.savedSeconds);
  }

  putServer(cache: string, server: Server): void {
    const of = [cache, printable(server.addresses[0] ?? '')];
    const stats = server.stats();
    this.#add('server_clients', of, stats.clients);
    this.#add('server_connections_total', of, stats.connections);
    this.#add('server_refused_connections_total', of, stats.refusedConnections);
    this.#add('server_commands_total', of, stats.commands);
    this.#add('server_errors_total', of, stats.errors);
    this.#add('server_received_bytes_total', of, stats.bytesIn);
    this.#add('server_sent_bytes_total', of, stats.bytesOut);
    for (const [command, times] of server.times())
      this.#add('server_command_duration_seconds', [...of, command], timesOf(times));
  }

  /** Those of one name are one: they differ in options only. */
  putUpstreams(cache: string, states: readonly UpstreamState[]): void {
    for (const name of new Set(states.map((state) => printable(state.name)))) {
      const alike = states.filter((state) => printable(state.name) === name);
      const counts = sumOf(alike.flatMap((state) => state.counts ?? []));
      const of = [cache, name];
      this.#add('upstream_up', of, alike.every(({ healthy }) => healthy) ? 1 : 0);
      this.#add('upstream_lookups_total', [...of, 'hit'], counts.hits);
      this.#add('upstream_lookups_total', [...of, 'miss'], counts.misses);
      this.#add('upstream_lookups_total', [...of, 'failed'], counts.failed);
      this.#add('upstream_loaded_total', of, counts.loaded);
      this.#add('upstream_waited_total', of, counts.waited);
      this.#add('upstream_fenced_total', of, counts.fenced);
      this.#add('upstream_stale_total', of, counts.stale);
      this.#add('upstream_failed_refreshes_total', of, counts.failedRefreshes);
      this.#add('upstream_writes_total', [...of, 'confirmed'], counts.writes);
      this.#add('upstream_writes_total', [...of, 'lost'], counts.lostWrites);
      this.#add('upstream_queued_writes', of, counts.queued);
      this.#add('upstream_commands_total', of, counts.commands);
      this.#add('upstream_errors_total', [...of, 'late'], counts.late);
      this.#add('upstream_errors_total', [...of, 'refused'], counts.refused);
      this.#add('upstream_connections_total', of, counts.connects);
      this.#add('upstream_outages_total', of, counts.outages);
      this.#add('upstream_invalidations_total', of, counts.invalidations);
      this.#add('upstream_flushes_total', of, counts.flushes);
    }
  }

  #add(name: MetricName, labels: readonly string[], value: Sample['value']): void {
    let samples = this.#samples.get(name);
    if (samples === undefined) {
      samples = [];
      this.#samples.set(name, samples);
    }
    samples.push({ labels, value });
  }
}
