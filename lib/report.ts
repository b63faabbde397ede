// report.ts: `zerohop/report`: what a cache saved, in seconds and money, what it is worth to cache, and what was asked
// for. It loads no addon: a snapshot may be read in any process.

export type { LedgerSnapshot } from './model/ledger.js';
export { type AccessLog, type AccessLogOptions, accessLog } from './observe/access-log.js';
export {
  type AdviseOptions,
  advise,
  breakEvenHitRate,
  type ModelAdvice,
  meanLatencyMs,
  type SizeAdvice,
  type TtlAdvice,
} from './observe/advise.js';
export { type LedgerSource, ledgerOf } from './observe/ledgers.js';
export {
  GPU_PRICES,
  type InstancePrice,
  type PriceTable,
  type TokenPrice,
  tokenPrices,
} from './observe/prices.js';
export type { Range } from './observe/ranges.js';
export {
  type ModelMoney,
  type ModelPrice,
  type MoneyOptions,
  type MoneyReport,
  report,
  type SavedSeconds,
  type SavedUsd,
} from './observe/report.js';
export { reportText } from './observe/report-text.js';
