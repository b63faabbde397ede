// What an editor shows of the types: names that can be read, and nothing that is internal.
import { join, relative } from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';
import { programOf, root } from '../fixtures/compiler.js';

const file = join(root, 'build/documents/surface.mts');
const text = `
import { type Blobs, type EmbeddingTable, float32, type MappedBlob, open, PUBLIC, type Server, type TieredKeyspace, utf8,
  type Weights, type WeightTensor } from 'zerohop';

export const cache = open();
export const users = cache.keyspace('users', { codec: float32(4) });
export const items = cache.keyspace('items', { codec: utf8, keys: 'integer' });
export const vector = users.get('a');
export const terms = { version: '1', scope: PUBLIC } as const;
export const embed = cache.model({ ...terms, name: 'e', codec: float32(4), run: async (texts) => texts.map(() => vector!) });
export const result = embed.predict('a');
export const label = cache.model({ ...terms, name: 'l', codec: utf8, run: (vectors: Float32Array[]) => vectors.map(String) });
export const search = cache.pipeline([embed, label], { name: 's', scope: PUBLIC });
export declare const table: EmbeddingTable<'F32', number>;
export const row = table.row(1);
export declare const tiered: TieredKeyspace<string, string, string>;
export declare const weights: Weights;
export declare const tensor: WeightTensor;
export declare const server: Server;
export declare const blobs: Blobs;
export declare const blob: MappedBlob;
`;

const program = programOf(new Map([[file, text]]), { target: ts.ScriptTarget.ES2022, skipLibCheck: true });
const checker = program.getTypeChecker();
const names = checker.getExportsOfModule(checker.getSymbolAtLocation(program.getSourceFile(file)!)!);
const typeOf = (name: string) => checker.getTypeOfSymbol(names.find((one) => one.name === name)!);
const shown = (name: string) => checker.typeToString(typeOf(name));

describe('an editor', () => {
  test('shows types by names that can be read', () => {
    expect(['vector', 'row', 'result', 'embed', 'label', 'search', 'users', 'items'].map(shown)).toEqual([
      'ReadonlyFloat32Array | undefined',
      'ReadonlyFloat32Array | undefined',
      'Promise<ReadonlyFloat32Array>',
      'Model<string, ReadonlyFloat32Array, ReadonlyFloat32Array>',
      'Model<Float32Array<ArrayBufferLike>, string, string>',
      'Model<string, string, string>',
      'Keyspace<ReadonlyFloat32Array, ReadonlyFloat32Array, Float32Array<ArrayBuffer>, string | Uint8Array<ArrayBufferLike>>',
      'Keyspace<string, string, string, number>',
    ]);
  });

  test.each(['cache', 'users', 'tiered', 'embed', 'table', 'weights', 'tensor', 'server', 'blobs', 'blob'])(
    'completes %s with public members alone',
    (name) => {
      const members = checker.getPropertiesOfType(typeOf(name));
      expect(members.length).toBeGreaterThan(2);
      const internal = ['seek', 'seekMany', 'store', 'costOf', 'bytesOf', 'generation', 'outdateAll', 'predictTold']
        .concat(['settleMany', 'lifetime', 'onClear', 'onClose', 'nearAnswers', 'attach', 'shut', 'forget', 'file'])
        .concat(['codec', 'identity', 'hits', 'replicas', 'promote', 'handle', 'viewed', 'own', 'options', 'onDrain']);
      expect(members.map((member) => member.name).filter((member) => internal.includes(member))).toEqual([]);
    },
  );

  test.each(['cache', 'table', 'weights', 'tensor', 'server', 'blob'])('makes no %s by its constructor', (name) => {
    const made = checker.getTypeOfSymbol(typeOf(name).getSymbol()!).getConstructSignatures();
    const isPrivate = ({ declaration }: ts.Signature) =>
      (ts.getCombinedModifierFlags(declaration as ts.ConstructorDeclaration) & ts.ModifierFlags.Private) !== 0;
    expect(made.map(isPrivate)).toEqual([true]);
  });

  test('sees no file with an internal declaration', () => {
    const files = program.getSourceFiles().filter(({ fileName }) => fileName.startsWith(join(root, 'dist')));
    expect(files.length).toBeGreaterThan(50);
    const internal = files.filter((one) => /@internal/.test(one.text)).map((one) => relative(root, one.fileName));
    expect(internal).toEqual([]);
  });
});
