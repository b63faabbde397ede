// helper-cpu.mts — processor time of all threads of this process but the first: in a program without workers those of
// V8 (marking, sweeping, scavenging, compiling) and of libuv.

import { readdirSync, readFileSync } from 'node:fs';

const TASKS = '/proc/self/task';

/** In ms, since the process began. @throws {Error} anywhere but on Linux. */
export function helperCpuMs(): number {
  if (process.platform !== 'linux') throw new Error(`${process.platform} does not tell the processor time of a thread`);
  const helpers = readdirSync(TASKS).filter((id) => Number(id) !== process.pid);
  const onCpuNs = helpers.map((id) => Number(readFileSync(`${TASKS}/${id}/schedstat`, 'utf8').split(' ')[0]));
  return onCpuNs.reduce((sum, ns) => sum + ns, 0) / 1e6;
}
