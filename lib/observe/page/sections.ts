// sections.ts: the tables below the charts: one section a matter. A section that has nothing to tell is hidden.

import type { Snapshot } from '../figures.js';
import { byId, make, setText } from './dom.js';
import { brief, count, duration, money, percent, rate, shown, time } from './format.js';
import { type Cell, Table } from './table.js';

const named = (name: string): Cell => ({ text: shown(name) });
const othersOf = (many: number, what: string): Cell => ({ text: `${count(many)} other ${what}`, isNote: true });

/** Shows what it is of a snapshot. */
export type Section = (snapshot: Snapshot) => void;

export function reasonsSection(): { element: HTMLElement; show: Section } {
  const table = new Table('Since the start, by reason', [{ title: 'Reason', isText: true }, { title: 'Entries' }]);
  const element = make('figure', { class: 'reasons' }, make('figcaption', {}, 'Why entries left'), table.element);
  return {
    element,
    show: ({ left, refused }) => {
      const rare: [string, number][] = [
        ['Dropped: changed through a view', left.corrupted],
        ['Not stored: worth less than others', refused.worth],
        ['Not stored: views pin all memory', refused.pinned],
        ['Not stored: a reader was stopped', refused.readers],
        ['Not stored: the system gave no memory', refused.memory],
      ];
      const all: [string, number][] = [
        ['Evicted: room was needed', left.capacity],
        ['Evicted: more than maxEntries', left.maxEntries],
        ['Expired', left.expired],
        ['Deleted', left.deleted],
        ...rare.filter(([, entries]) => entries > 0),
      ];
      table.show(all.map(([reason, entries]) => [reason, count(entries)]));
    },
  };
}

export function keyspacesSection(): Section {
  const nothing = make('p', { class: 'note' }, 'No keyspace holds or was asked for anything yet.');
  const table = new Table('By lookups in the last minute', [
    { title: 'Keyspace', isText: true },
    { title: 'Lookups/s' },
    { title: 'Hit rate' },
    { title: 'Lookups' },
    { title: 'Entries' },
  ]);
  byId('keyspaces').append(table.element, nothing);
  return ({ keyspaces: { shown: all, others } }) => {
    nothing.hidden = all.length > 0;
    const row = (name: Cell, one: Omit<(typeof all)[number], 'name'>): Cell[] => [
      name,
      rate(one.lookups.perSecond),
      { text: percent(one.hitRate), share: one.hitRate },
      count(one.lookups.total),
      count(one.entries),
    ];
    table.show([
      ...all.map((one) => row(one.name === '' ? { text: 'the cache itself', isNote: true } : named(one.name), one)),
      ...(others === null ? [] : [row(othersOf(others.count, 'keyspaces'), others)]),
    ]);
  };
}

export function modelsSection(): Section {
  const table = new Table('By saved GPU time, since the start', [
    { title: 'Model', isText: true },
    { title: 'Saved GPU time' },
    { title: 'Saved money' },
    { title: 'Hit rate' },
    { title: 'Hits' },
    { title: 'Run, p50' },
    { title: 'Run, p99' },
    { title: 'Failed' },
  ]);
  const section = byId('models');
  section.append(table.element);
  return ({ models: { shown: all, others }, money: total }) => {
    section.hidden = all.length === 0;
    const row = (name: Cell, one: Omit<(typeof all)[number], 'name'>): Cell[] => [
      name,
      one.savedSeconds === null ? time(null) : duration(one.savedSeconds),
      money(one.savedUsd),
      { text: percent(one.hitRate), share: one.hitRate },
      count(one.hits),
      time(one.runs?.p50 ?? null),
      time(one.runs?.p99 ?? null),
      count(one.failures),
    ];
    table.show([
      ...all.map((one) => row(named(one.name), one)),
      ...(others === null ? [] : [row(othersOf(others.count, 'models'), others)]),
    ]);
    if (total !== null) setText(byId('money'), wordsOf(total));
  };
}

function wordsOf({ unpricedModels, savedUsd, tables }: NonNullable<Snapshot['money']>): string {
  const least = 'Savings are the least that can be proved.';
  if (savedUsd === null) return `${least} Money is told once a price is named.`;
  const without = unpricedModels === 0 ? '' : ` Without a price: ${count(unpricedModels)}.`;
  return `${least} Prices: ${tables.length === 0 ? 'as they were named' : shown(tables.join('; '))}.${without}`;
}

export function serverSection(): Section {
  const servers = new Table('Where it listens', [
    { title: 'Address', isText: true },
    { title: 'Clients' },
    { title: 'Commands/s' },
    { title: 'Errors/s' },
    { title: 'Refused' },
  ]);
  const commands = new Table('Commands: times since the start; of brief ones, one in 64 is timed', [
    { title: 'Command', isText: true },
    { title: 'Calls/s' },
    { title: 'p50' },
    { title: 'p90' },
    { title: 'p99' },
    { title: 'p99.9' },
    { title: 'Calls' },
  ]);
  const section = byId('commands');
  section.append(servers.element, commands.element);
  return (snapshot) => {
    section.hidden = snapshot.servers.length === 0;
    servers.show(
      snapshot.servers.map((one) => [
        named(one.address),
        count(one.clients),
        rate(one.commands.perSecond),
        rate(one.errors.perSecond),
        count(one.refusedConnections),
      ]),
    );
    const { shown: all, others } = snapshot.commands;
    const row = (name: Cell, { calls, times }: Omit<(typeof all)[number], 'name'>): Cell[] => [
      name,
      rate(calls.perSecond),
      time(times?.p50 ?? null),
      time(times?.p90 ?? null),
      time(times?.p99 ?? null),
      time(times?.p999 ?? null),
      brief(calls.total),
    ];
    commands.show([
      ...all.map((one) => row(named(one.name), one)),
      ...(others === null ? [] : [row(othersOf(others.count, 'commands'), others)]),
    ]);
  };
}

export function upstreamSection(): Section {
  const table = new Table('What is asked for what is not here', [
    { title: 'Upstream', isText: true },
    { title: 'Health', isText: true },
    { title: 'Requests/s' },
    { title: 'Errors/s' },
    { title: 'p50' },
    { title: 'p99' },
  ]);
  const section = byId('upstreams');
  section.append(table.element);
  return ({ upstreams }) => {
    section.hidden = upstreams.length === 0;
    table.show(
      upstreams.map(({ name, healthy, state, requests, errors, times }) => [
        named(name),
        { text: `${healthy ? '✓ answers' : '✕ does not answer'}${state === '' ? '' : `: ${shown(state)}`}` },
        rate(requests.perSecond),
        rate(errors.perSecond),
        time(times?.p50 ?? null),
        time(times?.p99 ?? null),
      ]),
    );
  };
}
