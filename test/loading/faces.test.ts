// Each entry of the package has two faces: a CommonJS module, and an ES module that exports the same names from it.
import { readdirSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { describe, expect, test } from 'vitest';

const lib = path.join(__dirname, '..', '..', 'lib');
const faces = readdirSync(lib, { recursive: true, encoding: 'utf8' }).filter((file) => file.endsWith('.mts'));
const sourceOf = (face: string) => face.replace(/\.mts$/, '.ts');

const program = ts.createProgram(
  faces.flatMap((face) => [face, sourceOf(face)]).map((file) => path.join(lib, file)),
  { module: ts.ModuleKind.NodeNext, moduleResolution: ts.ModuleResolutionKind.NodeNext, skipLibCheck: true },
);

/** The names that a module exports, types included. */
function namesOf(file: string): string[] {
  const checker = program.getTypeChecker();
  const module = checker.getSymbolAtLocation(program.getSourceFile(path.join(lib, file))!);
  return module === undefined ? [] : checker.getExportsOfModule(module).map(({ name }) => name);
}

describe('an ES module face exports what its CommonJS module exports', () => {
  test('there is one for each entry', () => {
    const { exports } = require('../../package.json') as { exports: Record<string, { import?: { default: string } }> };
    const entries = Object.values(exports).flatMap((entry) => entry.import?.default ?? []);
    expect(entries.map((file) => file.replace(/^\.\/dist\/(.*)\.mjs$/, '$1.mts')).sort()).toEqual(faces.sort());
  });

  for (const face of faces)
    test(face, () => {
      expect(namesOf(face).sort()).toEqual(namesOf(sourceOf(face)).sort());
    });
});
