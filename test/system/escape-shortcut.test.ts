import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createByteMatcher } from '../../system/byte-matcher.ts';
import { createEscapeShortcut } from '../../system/escape-shortcut.ts';
import { createRedactionStream, prepareRedaction, type Redaction } from '../../system/redaction-stream.ts';
import { secretForms } from '../../system/secret-forms.ts';
import { spellingTree } from '../../system/spelled-search.ts';
import { BACKSLASH, ENTITY, LINE_BREAK, PERCENT } from '../../system/spelling.ts';

const SECRETS = ['%41b"\\n', 'ab\ncd', '&amp', 'pä\\u', 'hunter2-hunter2'];
const ATOMS = 'a|b|n|"|\\|\\\\|u|006|1|%|25|41|&|#x|amp;|;|\r|\n|\0|U|x61|ab|p|c3%a4|\\u0061|YWIK|}| '.split(
  '|',
);

const matcher = createByteMatcher(SECRETS.flatMap(secretForms));

describe('passing by escapes that lead nowhere', () => {
  it('shows what searching at every escape shows', () => {
    const short = prepareRedaction(matcher, '***');
    const searched: Redaction = { ...short, shortcuts: short.shortcuts.map(() => () => 0) };
    const parts = fc.array(fc.oneof(fc.constantFrom(...ATOMS), fc.constantFrom(...SECRETS)), {
      minLength: 1,
      maxLength: 24,
    });
    fc.assert(
      fc.property(parts, fc.nat(), (atoms, where) => {
        const bytes = Buffer.from(atoms.join(''));
        const cut = where % (bytes.length + 1);
        expect(shown(short, bytes, cut)).toEqual(shown(searched, bytes, cut));
      }),
      { numRuns: 1_500 },
    );
  });

  it('begins no search in ordinary JSON lines, addresses and line ends', () => {
    const text = String.raw`{"m":"one\ntwo \"x\" caf\u00e9","p":"C:\\Users\\me","u":"/a%20b%2Fc?d=1&e=%C3%A9"} &quot;`;
    const bytes = Buffer.from(`${text}\r\n{`);
    const trees = [
      spellingTree(PERCENT, spellingTree(PERCENT)),
      spellingTree(BACKSLASH, spellingTree(BACKSLASH), spellingTree(PERCENT), spellingTree(LINE_BREAK)),
      spellingTree(ENTITY),
      spellingTree(LINE_BREAK),
    ];
    const secret = createByteMatcher(secretForms('hunter2-hunter2'));
    const begun: string[] = [];
    let looks = 0;
    for (const tree of trees) {
      const shortcut = createEscapeShortcut(secret, tree);
      for (let at = 0, state = 0, from = 0; at < bytes.length; at++) {
        const byte = bytes[at] as number;
        if (tree.leads[byte] === 1 && at >= from) {
          const passed = shortcut(bytes, at, state);
          if (passed === 0) begun.push(bytes.subarray(at, at + 8).toString());
          from = at + passed;
          looks += 1;
        }
        state = secret.step(state, byte);
      }
    }
    expect(begun).toEqual([]);
    expect(looks).toBeGreaterThan(15);
  });
});

function shown(redaction: Redaction, bytes: Buffer, cut: number): string {
  const stream = createRedactionStream(redaction);
  return Buffer.concat([
    stream.write(bytes.subarray(0, cut)),
    stream.write(bytes.subarray(cut)),
    stream.end(),
  ]).toString('latin1');
}
