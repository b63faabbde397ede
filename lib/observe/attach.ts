// attach.ts: ZH.STATS of a server tells what the models of its thread saved, and how what stands behind the cache does,
// for `zerohop status`.

import { wall } from '../base/time.js';
import type { Cache } from '../cache/cache.js';
import { upstreamsOf } from '../cache/upstreams.js';
import { ledgersOf } from '../model/attach.js';
import type { LedgerSnapshot, ModelLedger } from '../model/ledger.js';
import { addSection } from '../resp/sections.js';

/** Of more models only those are told whose hits saved most. */
const MODELS_MAX = 100;

/** The ledger of each model as one period: a status has one price for all of it. Undefined: there is no model. */
function ledgerOf(cache: Cache): LedgerSnapshot | undefined {
  const models = Array.from(ledgersOf(cache), (ledger) => ledger.summary());
  if (models.length === 0) return undefined;
  const savedMs = ({ periods: [all] }: ModelLedger) => all!.hit.ms;
  models.sort((one, other) => savedMs(other) - savedMs(one));
  return { format: 'zerohop-ledger', formatVersion: 1, at: wall.ms, models: models.slice(0, MODELS_MAX) };
}

/** Undefined: nothing stands behind the cache. */
function upstreams(cache: Cache): object[] | undefined {
  const all = upstreamsOf(cache).map(({ buckets: _, counts: __, ...state }) => state);
  return all.length === 0 ? undefined : all;
}

addSection({ name: 'ledger', of: ledgerOf });
addSection({ name: 'upstreams', of: upstreams });
