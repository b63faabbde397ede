// samples.mts — what the suite measured of each server.

import { type Case, makeCase, type Unit } from '../harness/report.mjs';
import { summarize } from '../harness/statistics.mjs';
import { formatNumber, formatTable } from '../harness/table.mjs';
import type { Answered } from './load.mjs';
import type { Server } from './servers.mjs';

/** Lists of samples, named `server/what`. */
export class Samples {
  readonly #lists = new Map<string, { values: number[]; unit: Unit }>();

  put(name: string, value: number, unit: Unit): void {
    const list = this.#lists.get(name) ?? { values: [], unit };
    list.values.push(value);
    this.#lists.set(name, list);
  }

  add(server: Server, what: string, { requestsPerSecond, cpuUsPerRequest }: Answered, cpu: boolean): void {
    this.put(`${server.name}/${what}`, requestsPerSecond, 'per-second');
    if (cpu) this.put(`${server.name}/cpu-${what}`, cpuUsPerRequest * 1000, 'ns');
  }

  of(name: string): readonly number[] {
    return this.#lists.get(name)?.values ?? [];
  }

  cases(): Case[] {
    return [...this.#lists].map(([name, { values, unit }]) => makeCase(name, unit, summarize(values)));
  }

  table(): string {
    const rows = [...this.#lists].map(([name, { values, unit }]) => {
      const { median, p5, p95 } = summarize(values);
      const slash = name.indexOf('/');
      const spread = `${formatNumber(p5)} – ${formatNumber(p95)}`;
      return [name.slice(slash + 1), name.slice(0, slash), formatNumber(median), spread, unit];
    });
    return formatTable(['what', 'server', 'median', 'p5 – p95', 'unit'], rows);
  }
}
