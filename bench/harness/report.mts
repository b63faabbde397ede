// report.mts — the raw figures of a run, as `--json FILE` writes them.
//
//   { suite, machine, commit, cases: [{ name, unit, median, p5, p95 }], ratios: { name: number } }
//
// The form is fixed: results of different days are compared by program.

import { writeFileSync } from 'node:fs';
import { describeCommit, type Machine } from './machine.mjs';
import type { Summary } from './statistics.mjs';

/** Append only. */
export type Unit = 'ns' | 'ms' | 'ratio' | 'count' | 'bytes' | 'per-second';

export interface Case extends Summary {
  readonly name: string;
  readonly unit: Unit;
}

export interface Report {
  readonly suite: string;
  readonly machine: Machine;
  readonly commit: string;
  readonly cases: readonly Case[];
  readonly ratios: Readonly<Record<string, number>>;
}

export function makeReport(suite: string, machine: Machine, cases: Case[], ratios: Record<string, number>): Report {
  return { suite, machine, commit: describeCommit(), cases, ratios };
}

export function makeCase(name: string, unit: Unit, summary: Summary): Case {
  return { name, unit, median: summary.median, p5: summary.p5, p95: summary.p95 };
}

export function writeReport(file: string, report: Report): void {
  writeFileSync(file, `${JSON.stringify(report, null, 2)}\n`);
}
