// other-server.ts: the second server of commands that compare or copy: another Redis, or another zerohop.
//
// Its password is in its URL, or in ZEROHOP_OTHER_PASSWORD, so that it stands on no command line. For TLS, --tls-ca
// says whom to believe.

import { readFileSync } from 'node:fs';
import { durationOption } from '../base/options.js';
import { RespClient } from '../resp/client.js';
import { REDIS_PORT, type ServerPlace, serverPlace } from '../resp/url.js';
import type { ServerGiven } from './connection.js';

const SERVER_URL = /^(rediss?:\/\/|(redis\+)?unix:)/;

const OTHER_PASSWORD = 'ZEROHOP_OTHER_PASSWORD';

/** Whether it names a server, and no file. */
export function isServerUrl(text: string): boolean {
  return SERVER_URL.test(text);
}

/** Where it is: at Redis's port, if the URL says none. */
export function otherPlace(url: string): ServerPlace {
  return serverPlace(url, REDIS_PORT);
}

/** @param known the password, if the URL has none. */
export async function connectedTo(
  url: string,
  { timeout, tlsCa }: ServerGiven,
  known = process.env[OTHER_PASSWORD],
): Promise<RespClient> {
  const place = otherPlace(url);
  const password = place.password ?? (known || undefined);
  const tls = tlsCa === undefined ? {} : { ca: readFileSync(tlsCa, 'utf8') };
  return await RespClient.connect(
    { ...place, password },
    { timeoutMs: durationOption('--timeout', timeout, 1, 2 ** 31 - 1), tls },
  );
}
