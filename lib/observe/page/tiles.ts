// tiles.ts: the large figures at the head of the page.

import type { Snapshot } from '../figures.js';
import { make, setText } from './dom.js';
import { brief, briefDuration, count, money, percent, rate, size, time, UNKNOWN } from './format.js';

interface TileFigures {
  readonly title: string;
  readonly figure: string;
  readonly beside: string;
  /** 0 to 1: drawn as a bar. */
  readonly share?: number | null;
  readonly isWarning?: boolean;
}

export class Tiles {
  readonly #list: HTMLElement;

  constructor(list: HTMLElement) {
    this.#list = list;
  }

  show(snapshot: Snapshot): void {
    const tiles = [hitRate, lookups, latency, savedTime, savedMoney, memory, entries, clients].flatMap(
      (of) => of(snapshot) ?? [],
    );
    while (this.#list.children.length > tiles.length) this.#list.lastElementChild!.remove();
    for (const [i, tile] of tiles.entries()) write(this.#list.children[i] ?? this.#add(), tile);
  }

  #add(): HTMLElement {
    const bar = make('span', { class: 'bar', 'aria-hidden': 'true' }, make('span'));
    const tile = make(
      'div',
      {},
      make('dt'),
      make('dd', { class: 'figure' }),
      make('dd', { class: 'beside' }),
      make('dd', { class: 'meter', 'aria-hidden': 'true' }, bar),
    );
    this.#list.append(tile);
    return tile;
  }
}

function write(tile: Element, { title, figure, beside, share, isWarning }: TileFigures): void {
  const [name, large, small, meter] = tile.children as unknown as [Element, Element, Element, HTMLElement];
  setText(name, title);
  setText(large, figure);
  setText(small, beside);
  tile.classList.toggle('warning', isWarning === true);
  meter.hidden = share === undefined;
  meter.querySelector<HTMLElement>('.bar > span')!.style.width = `${(share ?? 0) * 100}%`;
}

const hitRate = ({ hitRate: { minute, total } }: Snapshot): TileFigures => ({
  title: 'Hit rate',
  figure: percent(minute),
  beside: total === null ? 'nothing was looked up yet' : `${percent(total)} since start`,
  share: minute,
});

const lookups = ({ lookups: { perSecond, total } }: Snapshot): TileFigures => ({
  title: 'Lookups/s',
  figure: rate(perSecond),
  beside: `${brief(total)} since start`,
});

function latency({ latency: found }: Snapshot): TileFigures | undefined {
  if (found === null) return undefined;
  const { times } = found;
  return {
    title: found.of === 'commands' ? 'Latency, p99' : 'Model run, p99',
    figure: time(times?.p99 ?? null),
    beside: times === null ? 'none in this minute' : `p50 ${time(times.p50)}, p99.9 ${time(times.p999)}`,
  };
}

function memory({ memory: { live, retired, capacity }, evicting }: Snapshot): TileFigures {
  const used = live + retired;
  return {
    title: 'Memory',
    figure: size(used),
    beside: `of ${size(capacity)}${evicting ? ', evicting' : ''}`,
    share: capacity === 0 ? null : used / capacity,
  };
}

const entries = ({ entries: all, left, point }: Snapshot): TileFigures => ({
  title: 'Entries',
  figure: all < 1e6 ? count(all) : brief(all),
  beside: point.capacity === null ? `${brief(left.capacity)} evicted` : `${rate(point.capacity)} evicted/s now`,
});

function savedTime({ money: found, models }: Snapshot): TileFigures | undefined {
  if (found === null) return undefined;
  const hits = models.shown.reduce((sum, one) => sum + one.hits, models.others?.hits ?? 0);
  return {
    title: 'GPU time saved',
    figure: briefDuration(found.savedSeconds),
    beside: `at least, by ${brief(hits)} hits`,
  };
}

function savedMoney({ money: found }: Snapshot): TileFigures | undefined {
  if (found === null) return undefined;
  const priced = found.savedUsd !== null;
  return {
    title: 'Money saved',
    figure: priced ? money(found.savedUsd) : UNKNOWN,
    beside: priced ? 'at least, since start' : 'no price was named',
  };
}

function clients({ servers, money: found }: Snapshot): TileFigures | undefined {
  if (servers.length === 0 || found !== null) return undefined;
  const all = servers.reduce((sum, one) => sum + one.clients, 0);
  const errors = servers.reduce((sum, one) => sum + (one.errors.perSecond ?? 0), 0);
  return { title: 'Clients', figure: count(all), beside: `${rate(errors)} errors/s`, isWarning: errors >= 1 };
}
