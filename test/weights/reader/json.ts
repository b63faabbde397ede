// json.ts: JSON as a header has to be: whether it is any, JSON.parse says; here are the rules that it does not know:
// each name once in an object, text of whole characters, no deeper than 16. Numbers stay as they are written.
import { need } from './answer.js';

export type Json = string | Json[] | Map<string, Json> | Written;

/** A number, true, false or null, by its characters. */
export class Written {
  readonly characters: string;
  constructor(characters: string) {
    this.characters = characters;
  }
}

const DEPTH_MAX = 16;
const TOKEN = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gy;

export function readJson(text: string): Json {
  try {
    JSON.parse(text);
  } catch {
    need(false, 'is no JSON');
  }
  // Of what is JSON, these are all tokens; white space is between them.
  const tokens: string[] = [];
  for (let at = 0; at < text.length; ) {
    TOKEN.lastIndex = at;
    const token = TOKEN.exec(text)?.[0];
    if (token !== undefined) tokens.push(token);
    at += token?.length ?? 1;
  }
  let next = 0;
  const value = (depth: number): Json => {
    const token = tokens[next++]!;
    if (token.startsWith('"')) return characters(token);
    if (token !== '{' && token !== '[') return new Written(token);
    need(depth < DEPTH_MAX, 'is nested too deep');
    return token === '{' ? object(depth + 1) : list(depth + 1);
  };
  const list = (depth: number): Json[] => {
    const items: Json[] = [];
    while (tokens[next] !== ']') {
      if (tokens[next] === ',') ++next;
      items.push(value(depth));
    }
    ++next;
    return items;
  };
  const object = (depth: number): Map<string, Json> => {
    const members = new Map<string, Json>();
    while (tokens[next] !== '}') {
      if (tokens[next] === ',') ++next;
      const name = characters(tokens[next]!);
      next += 2; // and the colon
      need(!members.has(name), 'has a name twice in an object');
      members.set(name, value(depth));
    }
    ++next;
    return members;
  };
  return value(0);
}

function characters(token: string): string {
  const text = JSON.parse(token) as string;
  need(Buffer.from(text).toString() === text, 'has half of a surrogate pair');
  return text;
}
