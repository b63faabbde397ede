// table.ts: a table whose rows are written again and again. Wide ones scroll, also by the keyboard.

import { make, newId, setText } from './dom.js';

export interface Column {
  readonly title: string;
  /** Numbers stand at the right. */
  readonly isText?: boolean;
}

/** A cell. `share`, 0 to 1, is drawn as a bar beside it. `isNote`: no name that somebody gave, but words of ours. */
export type Cell = string | { readonly text: string; readonly share?: number | null; readonly isNote?: boolean };

export class Table {
  readonly element: HTMLElement;
  readonly #body = make('tbody');
  readonly #columns: readonly Column[];

  constructor(caption: string, columns: readonly Column[]) {
    this.#columns = columns;
    const id = newId();
    const head = make('tr', {}, ...columns.map(({ title, isText }) => headCell(title, isText)));
    const table = make('table', {}, make('caption', { id }, caption), make('thead', {}, head), this.#body);
    this.element = make('div', { class: 'scroll', role: 'region', 'aria-labelledby': id, tabindex: '0' }, table);
  }

  /** Without rows the table is hidden. */
  show(rows: readonly (readonly Cell[])[]): void {
    this.element.hidden = rows.length === 0;
    while (this.#body.rows.length > rows.length) this.#body.deleteRow(-1);
    for (const [i, cells] of rows.entries()) {
      const row = this.#body.rows[i] ?? this.#addRow();
      for (const [column, cell] of cells.entries()) write(row.cells[column]!, cell);
    }
  }

  #addRow(): HTMLTableRowElement {
    const row = make('tr');
    for (const [i, { isText }] of this.#columns.entries()) {
      const kind = isText ? { class: 'text' } : undefined;
      row.append(i === 0 ? make('th', { scope: 'row', ...kind }) : make('td', kind));
    }
    this.#body.append(row);
    return row;
  }
}

function headCell(title: string, isText: boolean | undefined): HTMLElement {
  return make('th', { scope: 'col', ...(isText && { class: 'text' }) }, title);
}

function write(element: HTMLElement, cell: Cell): void {
  const { text, share, isNote } = typeof cell === 'string' ? { text: cell, share: undefined, isNote: false } : cell;
  if (element.firstElementChild === null) element.append(make('bdi'));
  const words = element.firstElementChild!;
  setText(words, text);
  words.classList.toggle('note', isNote === true);
  if (share === undefined) return;
  let bar = element.querySelector<HTMLElement>('.bar');
  if (bar === null) {
    bar = make('span', { class: 'bar', 'aria-hidden': 'true' }, make('span'));
    element.append(bar);
  }
  bar.style.visibility = share === null ? 'hidden' : 'visible';
  (bar.firstElementChild as HTMLElement).style.width = `${(share ?? 0) * 100}%`;
}
