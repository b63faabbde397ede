// systemd.ts: tells systemd that the server serves, for units of Type=notify.
//
// Node has no datagram sockets of the unix kind, which the protocol is of. systemd's own tool sends the message. It is
// another process than the server, so the unit needs NotifyAccess=all.

import { spawnSync } from 'node:child_process';

export function tellSystemd(...words: string[]): void {
  if (!process.env['NOTIFY_SOCKET']) return;
  const { status, error } = spawnSync('systemd-notify', words, { stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0)
    process.stderr.write(
      `zerohop: systemd was not told '${words.join(' ')}': ${error?.message ?? `exit code ${status}`}\n`,
    );
}
