// Token ids of prompts, kept under the digest of the vocabulary. Tokenizing a long prompt again for each request is work;
// ids of another vocabulary are worse than that, since they are numbers that fit and mean something else. So the version of
// this model is no label that someone must remember to change, but what the vocabulary is.
//
// Most prompts begin alike: instructions, then a document, then a question. Where the tokenizer never joins what stands on
// both sides of a place, the ids of the parts are the ids of the whole, and each part is kept once for all prompts.
//
//   node examples/tokenizer-state.mjs

import { fingerprint, int32, open, PUBLIC } from 'zerohop';

const BYTES = 256;

/**
 * Byte-pair encoding. Tokens 0 to 255 are the bytes; token 256 + i is made of the pair `merges[i]`, and an earlier pair is joined
 * before a later one.
 */
class Tokenizer {
  #merges;
  #ranks;
  #bytes = Array.from({ length: BYTES }, (_, byte) => [byte]);

  constructor(merges) {
    this.#merges = merges;
    this.#ranks = new Map(merges.map(([a, b], rank) => [`${a} ${b}`, rank]));
    for (const [a, b] of merges) this.#bytes.push([...this.#bytes[a], ...this.#bytes[b]]);
  }

  /** Merges that join what is most frequent in a text, one after the other. */
  static trained(text, count) {
    const merges = [];
    const words = wordsOf(text).map((word) => [...Buffer.from(word)]);
    while (merges.length < count) {
      const counts = new Map();
      for (const word of words)
        for (let i = 1; i < word.length; ++i) {
          const pair = `${word[i - 1]} ${word[i]}`;
          counts.set(pair, (counts.get(pair) ?? 0) + 1);
        }
      if (counts.size === 0) break;
      const [[best]] = [...counts].sort(([one, often], [other, oftener]) => oftener - often || (one < other ? -1 : 1));
      const merge = best.split(' ').map(Number);
      for (const word of words) join(word, merge, BYTES + merges.length);
      merges.push(merge);
    }
    return merges;
  }

  encode(text) {
    return Int32Array.from(wordsOf(text).flatMap((word) => this.#encodeWord([...Buffer.from(word)])));
  }

  decode(ids) {
    return Buffer.from([...ids].flatMap((id) => this.#bytes[id])).toString();
  }

  #encodeWord(tokens) {
    for (;;) {
      let best = Number.POSITIVE_INFINITY;
      for (let i = 1; i < tokens.length; ++i)
        best = Math.min(best, this.#ranks.get(`${tokens[i - 1]} ${tokens[i]}`) ?? best);
      if (best === Number.POSITIVE_INFINITY) return tokens;
      join(tokens, this.#merges[best], BYTES + best);
    }
  }
}

/** Pairs are joined within words alone; a word takes the space before it, other white space is by itself. */
function wordsOf(text) {
  return text.match(/ ?\S+|\s/g) ?? [];
}

function join(tokens, [a, b], token) {
  for (let i = 1; i < tokens.length; ++i) if (tokens[i - 1] === a && tokens[i] === b) tokens.splice(i - 1, 2, token);
}

const cache = open({ maxBytes: '64MB' });

/** A tokenizer whose ids are kept, of this vocabulary alone. */
function memoised(merges) {
  const tokenizer = new Tokenizer(merges);
  const digest = fingerprint({ scope: PUBLIC, model: 'byte pairs', input: merges }).hex;
  const ids = cache.model({
    name: 'tokenizer',
    version: digest,
    scope: PUBLIC,
    codec: int32(), // of any length, none included
    run: (texts) => texts.map((text) => tokenizer.encode(text)),
  });
  return { tokenizer, digest, ids };
}

/** The ids of a prompt from those of its parts. Each part but the first begins with a line's end, which is never joined. */
async function promptIds({ ids }, parts) {
  const pieces = await ids.predictMany(parts);
  const all = new Int32Array(pieces.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.length;
  }
  return all;
}

const instructions = 'You answer questions about a document. Answer in one sentence, and say where it stands.';
const document = '\nA cache keeps what was computed. What is not in the cache is computed, and the cache keeps it.';
const questions = ['\nWhat does a cache keep?', '\nWhat is computed?', ''];

const merges = Tokenizer.trained(instructions + document, 60);
const first = memoised(merges);
const prompts = questions.map((question) => [instructions, document, question]);
const answers = [];
for (const parts of prompts) answers.push(await promptIds(first, parts));
const { hits, computed } = first.ids.stats();
const facts = {
  // Three prompts of three parts: the shared ones are tokenized once, an empty one is a part as well.
  parts: { hits, computed },
  whole: answers.every(
    (ids, i) => Buffer.compare(bytesOf(ids), bytesOf(first.tokenizer.encode(prompts[i].join('')))) === 0,
  ),
  text: answers.every((ids, i) => first.tokenizer.decode(ids) === prompts[i].join('')),
  shorter: answers.every((ids, i) => ids.length < Buffer.byteLength(prompts[i].join('')) / 2),
};
await promptIds(first, prompts[2]);
facts.emptyComputed = first.ids.stats().computed - computed;

// Cut elsewhere, the parts have other ids than the whole: a pair is joined across the cut.
const cut = await promptIds(first, [`${instructions}\nA ca`, 'che']);
facts.cutWithinWord = cut.length > first.tokenizer.encode(`${instructions}\nA cache`).length;

// One merge fewer is another vocabulary; the same one, built anew, is the same.
const second = memoised(merges.slice(0, -1));
facts.unseen = prompts.flat().every((part) => second.ids.peek(part) === undefined);
const others = await promptIds(second, prompts[0]);
facts.other = {
  differs: others.length !== answers[0].length,
  text: second.tokenizer.decode(others) === prompts[0].join(''),
  firstStays: first.ids.peek(instructions).length === first.tokenizer.encode(instructions).length,
};
const rebuilt = memoised(Tokenizer.trained(instructions + document, 60));
facts.rebuilt = { same: rebuilt.digest === first.digest, known: rebuilt.ids.peek(document) !== undefined };

console.log(JSON.stringify(facts));
cache.close();

function bytesOf({ buffer, byteOffset, byteLength }) {
  return Buffer.from(buffer, byteOffset, byteLength);
}
