import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../../store/database.ts';
import { createStateDocuments } from '../../store/documents.ts';

let folder: string;
let database: Database;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'documents-'));
  database = openDatabase(join(folder, 'agent.db'));
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

describe('createStateDocuments', () => {
  it('gives back what was written last, and null for what was never written or deleted', () => {
    const documents = createStateDocuments(database);
    documents.write('flow/a', { n: 1 });
    documents.write('flow/a', { n: 2, deep: [null, 'é', { x: false }] });
    expect(documents.read('flow/a')).toEqual({ n: 2, deep: [null, 'é', { x: false }] });
    documents.delete('flow/a');
    expect(documents.read('flow/a')).toBeNull();
    expect(documents.read('never')).toBeNull();
  });

  it('refuses what is no JSON', () => {
    expect(() => createStateDocuments(database).write('a', undefined)).toThrow(TypeError);
  });

  it('lists a prefix sorted, with wildcards of SQL meaning themselves', () => {
    const documents = createStateDocuments(database);
    for (const key of ['flow/b', 'flow/a', 'flow%a', 'flowXa', 'FLOW/a', 'flo', 'a_b/1', 'axb/1', 'flow*a']) {
      documents.write(key, key);
    }
    expect(documents.list('flow/')).toEqual([
      { key: 'flow/a', value: 'flow/a' },
      { key: 'flow/b', value: 'flow/b' },
    ]);
    expect(documents.list('flow%').map(({ key }) => key)).toEqual(['flow%a']);
    expect(documents.list('a_b').map(({ key }) => key)).toEqual(['a_b/1']);
    expect(documents.list('flow*').map(({ key }) => key)).toEqual(['flow*a']);
    expect(documents.list('')).toHaveLength(9);
  });

  it('lists exactly the keys that begin with the prefix, whatever they contain', () => {
    const documents = createStateDocuments(database);
    const text = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 6 }).filter((t) => !t.includes('\0'));
    fc.assert(
      fc.property(fc.uniqueArray(text, { maxLength: 8 }), text, fc.nat(6), (keys, other, length) => {
        for (const { key } of documents.list('')) documents.delete(key);
        for (const key of keys) documents.write(key, 1);
        const prefix = Array.from(keys[0] ?? other)
          .slice(0, length)
          .join('');
        const expected = keys.filter((key) => key.startsWith(prefix)).sort();
        expect(
          documents
            .list(prefix)
            .map(({ key }) => key)
            .sort(),
        ).toEqual(expected);
      }),
      { numRuns: 60 },
    );
  });
});
