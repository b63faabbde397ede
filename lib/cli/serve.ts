// serve.ts: `zerohop serve`, a cache of its own process that speaks Redis.

import { Command } from 'commander';
import type { Server } from '../resp/serve.js';
import { PID_FILE, takePidFile } from './pid-file.js';
import { print } from './print.js';
import { type Settings, serveOptionsOf, settingsOf, withSettings } from './settings.js';
import { tellSystemd } from './systemd.js';

/** How long a server that is told to end waits for the replies that are on their way. */
const DRAIN = '5s';

export function serveCommand(): Command {
  const command = new Command('serve').alias('start').description('serve a cache to every Redis client');
  return withSettings(command)
    .option('--daemon', 'Go on in the background, and return when it serves.')
    .action(async ({ daemon }: { daemon?: boolean }) => {
      const settings = settingsOf(command);
      if (daemon) {
        const { startDaemon } = await import('./daemon.js');
        await startDaemon(settings, settings.pidFile ?? PID_FILE);
      } else await serveUntilTold(settings);
    });
}

async function serveUntilTold(settings: Settings): Promise<void> {
  const options = serveOptionsOf(settings);
  const { memoryLimit, admission, pidFile } = settings;
  const { addressOption, Endpoint } = await import('../observe/endpoint.js');
  const { serverGuard } = await import('../observe/access.js');
  const metricsAt = settings.metrics === undefined ? undefined : addressOption('--metrics', `${settings.metrics}`);
  if (pidFile !== undefined) takePidFile(pidFile);
  const { open, serve } = await import('../index.js');
  const cache = open({
    ...(memoryLimit !== undefined && { maxBytes: memoryLimit }),
    ...(admission !== undefined && { admission }),
  });
  let server: Server | undefined;
  const guard = () => server && serverGuard(server);
  const metrics = metricsAt && (await Endpoint.listen(cache, { ...metricsAt, guard })); // first: it keeps no process alive
  server = serve(cache, options);
  await server.ready;
  // Who reads the first lines may leave then. The server goes on.
  process.stdout.removeAllListeners('error').on('error', () => {});
  const addresses = [...server.addresses, ...(metrics === undefined ? [] : [metrics.url])];
  for (const address of addresses) print(`zerohop serves ${address}`);
  if (process.send !== undefined) (await import('./daemon.js')).tellStarter(addresses);
  tellSystemd('--ready', `--status=serves ${addresses.join(' ')}`);
  const signal = await new Promise<NodeJS.Signals>((resolve) => {
    for (const name of ['SIGTERM', 'SIGINT'] as const) process.once(name, resolve);
  });
  print(`zerohop ends on ${signal}`);
  tellSystemd('STOPPING=1');
  await server.close({ drain: DRAIN });
  await metrics?.close();
  cache.close();
}
