import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ArchiveRefusal } from '../../../store/archive/archive-refusal.ts';
import { nameKey, splitMemberName } from '../../../store/archive/member-name.ts';

/** Empty when it is refused; anything but a refusal is thrown on. */
function splitOrRefuse(name: string): string[] {
  try {
    return splitMemberName(name);
  } catch (error) {
    if (error instanceof ArchiveRefusal) return [];
    throw error;
  }
}

describe('splitMemberName', () => {
  it('takes ordinary names of every alphabet', () => {
    expect(splitMemberName('./lib/a-b_c.py')).toEqual(['lib', 'a-b_c.py']);
    expect(splitMemberName('lib/')).toEqual(['lib']);
    expect(splitMemberName('./')).toEqual([]);
    for (const name of [
      '.env',
      '..rc',
      'a b',
      'Überweisung.xlsx',
      '請求書/図.png',
      '👩‍💻.txt',
      'console.py',
      'com10',
      'lpt',
      'nulled',
    ]) {
      expect(splitMemberName(name).join('/')).toBe(name);
    }
  });

  it('gives only segments that stay below the folder, or refuses', () => {
    const odd = fc.constantFrom('..', '.', '', '/', '\\', ':', '\0', ' ', 'a');
    fc.assert(
      fc.property(
        fc.array(fc.oneof(odd, fc.string({ unit: 'binary', maxLength: 4 })), { maxLength: 8 }),
        (parts) => {
          const segments = splitOrRefuse(parts.join(''));
          // oxlint-disable-next-line no-control-regex -- these are what is looked for
          expect(segments.filter((segment) => /^$|^\.\.?$|[/\\:\u0000-\u001f]|[. ]$/.test(segment))).toEqual(
            [],
          );
        },
      ),
    );
  });
});

describe('nameKey', () => {
  it('is the same for whatever some file system takes for the same', () => {
    const same = [
      'straße',
      'STRA\u1e9eE',
      'STRASSE',
      'Strasse',
      'stra\u017fse',
      'strasse\u200d',
      'ｓｔｒａｓｓｅ',
    ];
    expect(new Set(same.map(nameKey)).size).toBe(1);
  });

  it('is the same for every letter and whatever differs from it only in case', () => {
    const letters = Array.from({ length: 0x110000 }, (_, code) => code)
      .filter((code) => code < 0xd800 || code > 0xdfff)
      .map((code) => String.fromCodePoint(code))
      .filter((letter) => letter.toLowerCase() !== letter || letter.toUpperCase() !== letter);
    expect(letters.length).toBeGreaterThan(2_900);
    const all = letters.join('');
    for (const letter of letters) {
      const alike = all.match(new RegExp(letter, 'giu')) ?? [];
      expect(new Set([letter, ...alike].map(nameKey))).toEqual(new Set([nameKey(letter)]));
    }
  });

  it('does not change a second time', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        expect(nameKey(nameKey(name))).toBe(nameKey(name));
      }),
    );
  });

  it('folds case in every normal form', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (name) => {
        for (const form of ['NFC', 'NFD', 'NFKC', 'NFKD'] as const)
          expect(nameKey(name.normalize(form))).toBe(nameKey(name));
        expect(nameKey(name.toUpperCase())).toBe(nameKey(name));
      }),
    );
  });
});
