import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  createRedactor,
  REDACTED,
  type Redactor,
  redactKnownHeaders,
  scrubText,
} from '../../system/redaction.ts';

const bytes = (text: string) => Buffer.from(text, 'utf8');
const inPieces = (secrets: string[], pieces: Uint8Array[], redactor = createRedactor(secrets)) => {
  const stream = redactor.stream();
  return Buffer.concat([...pieces.map((piece) => stream.write(piece)), stream.end()]).toString('utf8');
};

/** Text that no form of the secrets below can be part of. */
const FILLER = '~ – ~';
const SECRET = fc
  .string({ unit: 'grapheme', minLength: 4, maxLength: 24 })
  .filter((text) => text.trim().length >= 4 && text.trim() === text && !/[~–\r\n]/.test(text))
  .filter((text) => !REDACTED.includes(text) && !text.includes('[redacted'));

/** A secret that adjoins the mark (`pass[`) has another. */
const markFor = (redactor: Redactor, secret: string): string => {
  const mark = redactor.text(secret);
  expect([REDACTED, '***', '•••', '~~~~~', '-----', '(…)', '\u001a']).toContain(mark);
  return mark;
};

const FORMS: Record<string, (secret: string) => string> = {
  'as it is': (secret) => secret,
  'JSON-escaped': (secret) => JSON.stringify(secret).slice(1, -1),
  'JSON-escaped in ASCII': (secret) =>
    JSON.stringify(secret)
      .slice(1, -1)
      .replace(/[\u0080-\uffff]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`),
  'URL-encoded': (secret) => encodeURIComponent(Buffer.from(secret).toString('utf8')),
  'form-encoded': (secret) => new URLSearchParams({ a: secret }).toString().slice(2),
  'in hex': (secret) => Buffer.from(secret).toString('hex'),
};

describe('the redactor', () => {
  it.each(Object.entries(FORMS))('replaces a secret %s, wherever the output is split', (_name, form) => {
    fc.assert(
      fc.property(SECRET, (raw) => {
        const secret = raw.toWellFormed();
        const output = bytes(`${FILLER}${form(secret)}${FILLER}`);
        const redactor = createRedactor([secret]);
        const mark = markFor(redactor, secret);
        for (let split = 0; split <= output.length; split++) {
          const shown = inPieces([secret], [output.subarray(0, split), output.subarray(split)], redactor);
          expect(shown).toBe(`${FILLER}${mark}${FILLER}`);
        }
      }),
      { numRuns: 60 },
    );
  });

  it.each(['base64', 'base64url'] as const)(
    'replaces a secret inside %s at all three alignments',
    (encoding) => {
      fc.assert(
        fc.property(
          SECRET,
          fc.uint8Array({ minLength: 0, maxLength: 5 }),
          fc.uint8Array({ minLength: 0, maxLength: 5 }),
          (raw, before, after) => {
            const text = raw.toWellFormed();
            const secret = bytes(text);
            fc.pre(![...before, ...after].some((byte) => secret.includes(byte)));
            const encoded = Buffer.concat([before, secret, after]).toString(encoding);
            const shown = inPieces(
              [secret.toString('utf8')],
              [...bytes(encoded)].map((byte) => Buffer.of(byte)),
            );
            // The characters that the secret alone decides are gone; at most one at each end, shared with its neighbours, stays.
            const from = Math.ceil((before.length * 8) / 6);
            const to = Math.floor(((before.length + secret.length) * 8) / 6);
            expect(shown).toBe(
              `${encoded.slice(0, from)}${markFor(createRedactor([text]), text)}${encoded.slice(to)}`,
            );
          },
        ),
        { numRuns: 300 },
      );
    },
  );

  it('hides every byte of every occurrence, overlapping ones included, and shows all others', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b'), minLength: 4, maxLength: 7 });
    fc.assert(
      fc.property(
        fc.array(word, { minLength: 1, maxLength: 4 }),
        fc.string({ unit: fc.constantFrom('a', 'b', 'c'), maxLength: 60 }),
        fc.array(fc.nat(60), { maxLength: 6 }),
        (secrets, text, cuts) => {
          const hidden = new Set<number>();
          const begins = new Set<number>();
          for (let at = 0; at < text.length; at++) {
            for (const secret of secrets) {
              if (!text.startsWith(secret, at)) continue;
              for (let index = at; index < at + secret.length; index++) hidden.add(index);
            }
          }
          // One mark for each group of occurrences that overlap.
          let end = 0;
          for (let at = 0; at < text.length; at++) {
            const longest = Math.max(
              0,
              ...secrets.filter((one) => text.startsWith(one, at)).map((one) => one.length),
            );
            if (longest === 0) continue;
            if (at >= end) begins.add(at);
            end = Math.max(end, at + longest);
          }
          let expected = '';
          for (let at = 0; at < text.length; at++) {
            if (begins.has(at)) expected += REDACTED;
            if (!hidden.has(at)) expected += text[at];
          }
          const points = [
            0,
            ...cuts.map((cut) => Math.min(cut, text.length)).sort((a, b) => a - b),
            text.length,
          ];
          const pieces = points.slice(1).map((point, index) => bytes(text.slice(points[index], point)));
          expect(inPieces(secrets, pieces)).toBe(expected);
        },
      ),
      { numRuns: 2_000 },
    );
  });

  it('holds back no more than the beginning of a secret', () => {
    const stream = createRedactor(['correct horse']).stream();
    expect(Buffer.from(stream.write(bytes('a line\ncorr'))).toString()).toBe('a line\n');
    expect(Buffer.from(stream.write(bytes('idor'))).toString()).toBe('corridor');
    expect(Buffer.from(stream.write(bytes('correct horse'))).toString()).toBe(REDACTED);
    expect(stream.end()).toHaveLength(0);
  });

  it('hides a secret that repeats without end in bounded memory', () => {
    const stream = createRedactor(['aaaa']).stream();
    const chunk = Buffer.alloc(65_536, 'a');
    let shown = '';
    for (let count = 0; count < 64; count++) shown += Buffer.from(stream.write(chunk)).toString();
    expect(shown + Buffer.from(stream.end()).toString()).toBe(REDACTED);
  });

  it('knows the lines of a multi-line secret, and a secret without the white space around it', () => {
    const key = '-----BEGIN KEY-----\nMC4CAQAwBQYDK2VwBCIEIHk\nshort\n-----END KEY-----\n';
    const redactor = createRedactor([key, 'hunter22\n']);
    expect(redactor.text('  MC4CAQAwBQYDK2VwBCIEIHk\n')).toBe(`  ${REDACTED}\n`);
    expect(redactor.text('password=hunter22;')).toBe(`password=${REDACTED};`);
  });

  it('leaves secrets of fewer than four characters alone, and bytes that are no UTF-8', () => {
    expect(createRedactor(['abc', '    ', '']).text('abc     abc')).toBe('abc     abc');
    const stream = createRedactor(['secret']).stream();
    const raw = Buffer.from([0xff, 0xfe, 0x00, 0x73, 0x65, 0xc3]);
    expect(Buffer.concat([stream.write(raw), stream.end()])).toEqual(raw);
    expect(createRedactor(['secret']).text('lone \ud800')).toBe('lone \ud800');
  });

  it('reads 64 MB in a few passes of memory speed, whatever the number of secrets', () => {
    const secrets = Array.from({ length: 200 }, (_, index) => `s3cr3t-number-${index}-${'x'.repeat(20)}`);
    const stream = createRedactor([...secrets, 'k'.repeat(3_000)]).stream();
    const chunk = Buffer.alloc(1 << 20, 'INFO request s3cr3t-number took 12 ms path=/api/v1/items?id=42\n');
    const before = process.memoryUsage().arrayBuffers;
    const started = process.cpuUsage();
    let count = 0;
    for (let index = 0; index < 64; index++) count += stream.write(chunk).length;
    count += stream.end().length;
    expect(count).toBe(64 << 20);
    // 64 MB at 10 MB/s of CPU: a scan for each form of each secret takes minutes.
    expect(process.cpuUsage(started).user / 1_000).toBeLessThan(6_400);
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(200 << 20);
  });
});

describe('scrubbing of logs', () => {
  it.each([
    ['Authorization: Basic dXNlcjpwYXNz', `Authorization: ${REDACTED}`],
    ['{"authorization":"Bearer abc.def"}', `{"authorization":"${REDACTED}"}`],
    ['sent bearer 0123456789abcdef to it', `sent bearer ${REDACTED} to it`],
    ['cloning https://oauth2:p@ss@git.example/a.git', `cloning https://${REDACTED}@git.example/a.git`],
    ['GET /a?X-Amz-Signature=ab12&X-Amz-Expires=60', `GET /a?X-Amz-Signature=${REDACTED}&X-Amz-Expires=60`],
    ['/a?x=1&token=abc#f', `/a?x=1&token=${REDACTED}#f`],
    ['got eyJhbGciOi.eyJpc3Mi.c2ln!', `got ${REDACTED}!`],
    [
      '{"crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"}',
      `{"crv":"Ed25519","d":"${REDACTED}"}`,
    ],
    ['glpat-0123456789abcdefghij', REDACTED],
  ])('takes the credential out of %s', (text, expected) => {
    expect(scrubText(text)).toBe(expected);
    expect(scrubText(expected)).toBe(expected);
  });

  it('leaves ordinary lines alone', () => {
    const line =
      'tenant/acme@sha1:0123 fetched https://minio.example/edge/pkg_42.tar.gz in 1.2 s (basic checks passed)';
    expect(scrubText(line)).toBe(line);
  });

  it('takes time in proportion to the text', () => {
    for (const unit of [
      '://',
      'eyJ',
      'eyJ-',
      'eyJa.',
      'bearer ',
      '?token',
      '"d":"',
      'authorization',
      'cookie:',
      'ghp_',
      ' ',
    ]) {
      const text = unit.repeat(200_000);
      const started = performance.now();
      scrubText(text);
      expect(performance.now() - started).toBeLessThan(1_500);
    }
  });

  it('takes credentials out of headers by name', () => {
    expect(redactKnownHeaders({ Authorization: 'Bearer x', ETag: '"1"', 'set-cookie': ['a=1'] })).toEqual({
      Authorization: REDACTED,
      ETag: '"1"',
      'set-cookie': REDACTED,
    });
  });
});
