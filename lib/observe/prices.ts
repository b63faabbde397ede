// prices.ts: what GPUs and tokens cost. A table of prices has a name and a date, and each price says where it is from:
// whoever reads a report must be able to look it up. Prices are data: write a table of your own, or change a copy.

import { amountOption, type Checked, optionsObject, textOption, typeError } from '../base/options.js';

/** A machine with GPUs, for an hour. */
export interface InstancePrice {
  usdPerHour: number;
  /** How many GPUs the machine has. */
  gpus: number;
  /** Where the price is from, and when it was seen there. */
  source?: string | undefined;
}

/** A model that is paid by the token. Prices are for a million tokens. */
export interface TokenPrice {
  inputUsd: number;
  /** For input that the provider's own cache serves. Absent: as `inputUsd`. */
  cachedInputUsd?: number | undefined;
  outputUsd: number;
  /**
   * False: the provider's cache does not serve a call that is made again. Otherwise it might have served all of its
   * input at the discount, and a report counts no more than that.
   */
  repeatsAreCached?: boolean | undefined;
  source?: string | undefined;
}

export interface PriceTable {
  name: string;
  /** When the prices were collected. */
  date: string;
  /** From when on they hold, such as `'2026-12-01T00:00:00Z'`. Without it they hold from ever. */
  from?: string | undefined;
  /** By name, such as `'aws g5.xlarge'`. */
  instances?: Readonly<Record<string, InstancePrice>> | undefined;
  /** By the name of the model. */
  tokens?: Readonly<Record<string, TokenPrice>> | undefined;
}

const AWS = 'Amazon EC2 On-Demand, Linux, us-east-1';

/** List prices of a few machines. They are what most people do not pay: whoever has a contract has other prices. */
export const GPU_PRICES: PriceTable = freezeAll({
  name: 'zerohop list prices',
  date: '2026-11-30',
  instances: {
    'aws g4dn.xlarge': { usdPerHour: 0.526, gpus: 1, source: `${AWS}, seen 2024; one T4` },
    'aws g5.xlarge': { usdPerHour: 1.006, gpus: 1, source: `${AWS}, AWS Price List API, seen 2026-08-17; one A10G` },
    'aws g6.xlarge': { usdPerHour: 0.8048, gpus: 1, source: `${AWS}, AWS Price List API, seen 2026-08-17; one L4` },
    'aws g6e.xlarge': { usdPerHour: 1.861, gpus: 1, source: `${AWS}, AWS Price List API, seen 2026-08-17; one L40S` },
    'aws p4d.24xlarge': {
      usdPerHour: 21.957642,
      gpus: 8,
      source: `${AWS}, AWS Price List API, seen 2026-08-17; eight A100 of 40 GB`,
    },
    'aws p5.48xlarge': { usdPerHour: 55.04, gpus: 8, source: `${AWS}, instances.vantage.sh, seen 2026-03; eight H100` },
  },
});

function freezeAll<T extends object>(of: T): T {
  for (const one of Object.values(of)) if (typeof one === 'object') freezeAll(one);
  return Object.freeze(of);
}

/** What is read of an entry of `llm-zoo`. */
interface ZooModel {
  fullName: string;
  shortName?: string;
  inputPrice: number;
  outputPrice: number;
  capabilities: {
    supportsPromptCaching?: boolean;
    supportsAutoPromptCaching?: boolean;
    cacheDiscountFactor?: number;
  };
}

const MILLION = 1e6;

/**
 * Prices of tokens, from the npm package `llm-zoo` (MIT, no dependencies), which you install: it has some 160 models
 * of a dozen providers with their discounts for cached input. A name for which it has several prices is left out, and
 * so is one without a price above 0: a report says then that it does not know the price.
 *
 * @param zoo what `import * as zoo from 'llm-zoo'` gives.
 * @param about `version` and `date` of the package, which it does not say itself: they name the table in reports.
 * @throws {TypeError} `zoo` is something else; `about` lacks a member.
 * @example tokenPrices(zoo, { version: '1.37.0', date: '2026-09-23' }).tokens['gpt-4o']
 */
export function tokenPrices(
  zoo: { MODEL_CONFIGS: Readonly<Record<string, ZooModel>> },
  about: { version: string; date: string },
): PriceTable {
  const given = optionsObject('about', about, ['version', 'date']);
  const name = `llm-zoo ${textOption('about.version', given['version'], 64, 1)}`;
  const date = dateOption('about.date', given['date']);
  const configs: unknown = (zoo as { MODEL_CONFIGS?: unknown } | undefined)?.MODEL_CONFIGS;
  if (typeof configs !== 'object' || configs === null) throw typeError('zoo.MODEL_CONFIGS', 'an object', configs);
  const found = new Map<string, TokenPrice | undefined>();
  for (const model of Object.values(configs as Record<string, ZooModel>)) {
    const price = priceOf(model);
    for (const called of new Set([model.fullName, model.shortName])) {
      if (typeof called !== 'string') continue;
      const other = found.get(called);
      const clashes = found.has(called) && JSON.stringify(other) !== JSON.stringify(price);
      found.set(called, clashes ? undefined : price);
    }
  }
  const known = [...found].filter((one): one is [string, TokenPrice] => one[1] !== undefined);
  return { name, date, tokens: Object.fromEntries(known) };
}

function priceOf({ inputPrice, outputPrice, capabilities }: ZooModel): TokenPrice | undefined {
  if (!(inputPrice > 0) || !(outputPrice >= 0)) return undefined;
  const { supportsAutoPromptCaching: auto, supportsPromptCaching: marked, cacheDiscountFactor } = capabilities ?? {};
  const price = { inputUsd: inputPrice, outputUsd: outputPrice };
  if (auto !== true && marked !== true) return { ...price, repeatsAreCached: false };
  if (!(cacheDiscountFactor! >= 0 && cacheDiscountFactor! <= 1)) return undefined;
  return { ...price, cachedInputUsd: inputPrice * cacheDiscountFactor! };
}

/** A moment as people write it. A text is kept as it was written. */
function dateOption(name: string, value: unknown): string {
  const text = textOption(name, value, 64, 1);
  if (Number.isNaN(Date.parse(text))) throw typeError(name, "a date such as '2026-11-30'", value);
  return text;
}

/** @internal */
export interface CheckedTable {
  readonly name: string;
  readonly date: string;
  readonly fromMs: number;
  readonly instances: ReadonlyMap<string, InstancePrice>;
  readonly tokens: ReadonlyMap<string, Checked<Omit<TokenPrice, 'source'>>>;
}

/** The tables, each member read once, in the order in which they hold. @internal */
export function priceTables(name: string, value: unknown): CheckedTable[] {
  if (value === undefined) return [];
  const given = Array.isArray(value) ? value : [value];
  return given
    .map((table, i) => priceTable(Array.isArray(value) ? `${name}[${i}]` : name, table))
    .sort((one, other) => one.fromMs - other.fromMs);
}

function priceTable(name: string, value: unknown): CheckedTable {
  const given = optionsObject(name, value, ['name', 'date', 'from', 'instances', 'tokens']);
  return {
    name: textOption(`${name}.name`, given['name'], 255, 1),
    date: dateOption(`${name}.date`, given['date']),
    fromMs: given['from'] === undefined ? -Infinity : Date.parse(dateOption(`${name}.from`, given['from'])),
    instances: pricesOf(`${name}.instances`, given['instances'], (of, each) => {
      const price = optionsObject(of, each, ['usdPerHour', 'gpus', 'source']);
      const usdPerHour = amountOption(`${of}.usdPerHour`, price['usdPerHour']);
      return { usdPerHour, gpus: amountOption(`${of}.gpus`, price['gpus'], Number.EPSILON) };
    }),
    tokens: pricesOf(`${name}.tokens`, given['tokens'], (of, each) => {
      const price = optionsObject(of, each, ['inputUsd', 'cachedInputUsd', 'outputUsd', 'repeatsAreCached', 'source']);
      const million = (member: string, otherwise?: number) =>
        otherwise !== undefined && price[member] === undefined
          ? otherwise
          : amountOption(`${of}.${member}`, price[member]) / MILLION;
      const inputUsd = million('inputUsd');
      const repeats = price['repeatsAreCached'] ?? true;
      if (typeof repeats !== 'boolean') throw typeError(`${of}.repeatsAreCached`, 'true or false', repeats);
      const cachedInputUsd = million('cachedInputUsd', inputUsd);
      return { inputUsd, cachedInputUsd, outputUsd: million('outputUsd'), repeatsAreCached: repeats };
    }),
  };
}

/** A map, because a name may be `__proto__`. */
function pricesOf<Price>(
  name: string,
  value: unknown,
  check: (name: string, each: unknown) => Price,
): ReadonlyMap<string, Price> {
  if (value === undefined) return new Map();
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw typeError(name, 'an object', value);
  return new Map(Object.entries(value).map(([key, each]) => [key, check(`${name}[${JSON.stringify(key)}]`, each)]));
}

/** The prices under a name that hold at some moment of a period; undefined: at some moment none does. @internal */
export function pricesDuring<Price>(
  tables: readonly CheckedTable[],
  of: (table: CheckedTable) => Price | undefined,
  { from, to }: { from: number; to: number },
): { price: Price; table: CheckedTable }[] | undefined {
  const known = tables.flatMap((table) => {
    const price = of(table);
    return price === undefined ? [] : [{ price, table }];
  });
  const first = known.findLastIndex(({ table }) => table.fromMs <= from);
  if (first < 0) return undefined;
  return known.filter(({ table }, i) => i === first || (i > first && table.fromMs <= to));
}
