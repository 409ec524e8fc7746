import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { stringify } from 'yaml';
import { z } from 'zod';
import { AgentConfig } from '../../schemas/agent-config.ts';
import { AgentPolicy } from '../../schemas/agent-policy.ts';
import { FlowSecrets } from '../../schemas/credentials.ts';
import { formatProblem } from '../../system/document-problem.ts';
import { parseYaml } from '../../system/yaml-document.ts';

function problems(text: string | Uint8Array, schema: z.ZodType = AgentConfig, secret = false): string[] {
  const outcome = parseYaml(text, schema, { secret });
  return outcome.kind === 'valid'
    ? []
    : outcome.problems.map((problem) => formatProblem('agent.yaml', problem));
}

const GOOD = `version: 1
tenant: acme
source:
  url: https://git.example/acme.git
`;

test('reads a good document through the schema', () => {
  const outcome = parseYaml(GOOD, AgentConfig);
  expect(outcome).toMatchObject({
    kind: 'valid',
    value: { tenant: 'acme', source: { kind: 'git', interval: 60_000 } },
    raw: { source: { url: 'https://git.example/acme.git' } },
  });
});

test('takes a byte order mark, comments, Windows line ends, anchors and quotes', () => {
  const text = `\uFEFF# mine\r\n${GOOD.replaceAll('\n', '\r\n')}labels: {a: &x "one", b: *x}\r\n`;
  expect(problems(new TextEncoder().encode(text))).toEqual([]);
});

describe('a problem with the schema names line, column, found and expected', () => {
  test('of an unknown key, at the key, with the nearest known one', () => {
    expect(problems(`${GOOD}  intervall: 1m\n`)).toEqual([
      'agent.yaml:5:3: unknown key "intervall" — expected one of kind, url, interval, timeout; did you mean "interval"?',
    ]);
  });

  test('of an unknown key without a near one, without a guess', () => {
    const [problem] = problems(`${GOOD}zebra: 1\n`);
    expect(problem).toMatch(/^agent\.yaml:5:1: unknown key "zebra" — expected one of version, tenant, /);
    expect(problem).not.toContain('did you mean');
  });

  test('of a key that is missing, by its own name', () => {
    const tunnel = (more: string) =>
      `${GOOD}tunnel:\n  kind: frp\n  server: a.example:7000\n  service: a\n  token_file: t\n${more}`;
    expect(problems(tunnel(''))).toEqual([
      expect.stringMatching(/^agent\.yaml:5:1: missing key "tunnel\.ca_file" — expected the PEM file/),
    ]);
    const token = problems(tunnel('').replace('token_file: t', 'token: abc')).join('\n');
    expect(token).toContain('did you mean "token_file"?');
  });

  test('of a wrong value, at the value', () => {
    expect(problems(`${GOOD}  interval: fast\n`)).toEqual([
      'agent.yaml:5:13: source.interval: found "fast", expected a duration such as 500ms, 30s, 5m, 24h or 30d',
    ]);
  });

  test('of a choice, with the nearest one', () => {
    expect(problems(`${GOOD}  kind: got\n`)).toEqual([
      'agent.yaml:5:9: source.kind: found "got", expected one of "git", "http"; did you mean "git"?',
    ]);
  });

  test('of a missing key, at the key of its parent', () => {
    expect(problems('version: 1\ntenant: acme\nsource:\n  kind: git\n')).toEqual([
      'agent.yaml:3:1: missing key "source.url" — expected a text',
    ]);
  });

  test('of an empty document', () => {
    expect(problems('')).toEqual(['agent.yaml:1:1: found nothing, expected keys with values']);
    expect(problems('# only a comment\n')).toEqual([
      'agent.yaml:1:1: found nothing, expected keys with values',
    ]);
  });

  test('of a section left empty', () => {
    expect(problems('version: 1\ntenant: acme\nsource:\n')).toEqual([
      expect.stringMatching(/^agent\.yaml:3:\d+: source: found nothing, expected keys with values$/),
    ]);
  });

  test('of a kind that a discriminated union does not know', () => {
    expect(problems(`${GOOD}tunnel:\n  kind: websockets\n`)).toEqual([
      'agent.yaml:6:9: tunnel.kind: found "websockets", expected one of "none", "websocket", "rathole", "frp"; did you mean "websocket"?',
    ]);
  });

  test('of a key that belongs to another branch of a discriminated union', () => {
    expect(problems(`${GOOD}tunnel:\n  kind: websocket\n  urls: x\n`)).toEqual([
      'agent.yaml:7:3: unknown key "urls" — expected one of kind, url; did you mean "url"?',
    ]);
  });

  test('of a plain union, told for the branch that fits best', () => {
    const schema = z.union([z.object({ a: z.string() }), z.object({ b: z.number() }), z.literal('off')]);
    expect(problems('{a: 3}', schema)).toEqual(['agent.yaml:1:5: a: found 3, expected a text']);
    expect(problems('on', z.union([z.literal('off'), z.int()]))).toEqual([
      'agent.yaml:1:1: found "on", expected "off" or a number',
    ]);
  });

  test('of a key in a map of any keys', () => {
    expect(problems(`${GOOD}runs:\n  env:\n    A-B: x\n`)).toEqual([
      'agent.yaml:7:5: runs.env.A-B: found the key "A-B", expected a variable name such as REPORT_LANGUAGE',
    ]);
  });

  test('of an item in a list', () => {
    expect(
      problems('version: 1\nmaintenance:\n  windows:\n    - 0 3 * * *\n    - 0 3 *\n', AgentPolicy),
    ).toEqual([
      'agent.yaml:5:7: maintenance.windows[1]: found 3 in "0 3 *", expected five fields (minute hour day month weekday, such as "0 7 * * 1-5")',
    ]);
  });

  test('of a number outside its bounds and of a number where a text is meant', () => {
    expect(problems(`${GOOD}runs: {concurrency: 99}\nexecutors: {python: {min_version: 3.11}}\n`)).toEqual([
      'agent.yaml:5:21: runs.concurrency: found 99, expected at most 64',
      expect.stringContaining('executors.python.min_version: found 3.11, expected a text'),
    ]);
  });

  test('behind an alias, at the alias', () => {
    expect(problems(`${GOOD}labels: {a: &x [1], b: *x}\n`)).toEqual([
      'agent.yaml:5:16: labels.a: found a list of 1, expected a text',
      'agent.yaml:5:24: labels.b: found a list of 1, expected a text',
    ]);
  });
});

test('tells several problems at once, in the order of the text', () => {
  const text = 'tenant: Acme\nversion: 2\nsorce: {}\nruns:\n  grace: never\n';
  expect(problems(text).map((problem) => problem.split(': ')[0])).toEqual([
    'agent.yaml:1:1',
    'agent.yaml:1:9',
    'agent.yaml:2:10',
    'agent.yaml:3:1',
    'agent.yaml:5:10',
  ]);
  expect(problems(text)[3]).toContain('did you mean "source"?');
});

describe('a problem with the syntax', () => {
  test.each([
    ['a tab', 'a:\n\tb: 1\n', 'agent.yaml:2:1: found a tab, expected spaces for indentation'],
    [
      'a tab in each line',
      'a:\n\tb: 1\n\tc: 2\n',
      'agent.yaml:2:1: found a tab, expected spaces for indentation',
    ],
    [
      'a key twice',
      'a: 1\nb: 2\na: 3\n',
      'agent.yaml:3:1: found the key "a" again, expected each key once (first on line 1)',
    ],
    ['two documents', 'a: 1\n---\nb: 2\n', 'agent.yaml:2:1: found a second document'],
    ['a tag', 'a: !!js/function 1\n', 'agent.yaml:1:4: found an unknown tag'],
    ['a bracket left open', 'a: {b: 1\n', 'agent.yaml:2:1: found'],
    ['an unknown alias', 'a: *b\n', 'agent.yaml:1:4: found an alias that cannot be followed'],
    ['NUL', 'a: 1\nb: "\0"\n', 'agent.yaml:2:5: found a NUL character'],
    ['an explicit key', '? a\n: b\n', 'agent.yaml:1:1: found a "? " key'],
  ])('names the place of %s', (_what, text, start) => {
    expect(problems(text)[0]?.slice(0, start.length)).toBe(start);
  });

  test('names the place of bytes that are no UTF-8', () => {
    const bytes = Buffer.concat([Buffer.from('a: 1\nb: '), Buffer.from([0xff])]);
    expect(problems(bytes)).toEqual([
      'agent.yaml:2:4: found bytes that are no UTF-8, expected a text in UTF-8',
    ]);
  });
});

describe('a hostile document is refused at once', () => {
  const doubled = Array.from(
    { length: 12 },
    (_, n) =>
      `a${n}: &a${n} [${Array(9)
        .fill(n ? `*a${n - 1}` : '1')
        .join()}]`,
  );
  test.each([
    ['more than 256 KiB', 'a: '.padEnd(256 * 1_024 + 1, 'x')],
    ['an alias bomb', doubled.join('\n')],
    ['deep brackets', '['.repeat(100_000)],
    ['deep mixed brackets', '[{'.repeat(60_000)],
    ['deep dashes', '- '.repeat(100_000)],
    ['deep explicit keys', '? '.repeat(100_000)],
    ['a map of very many keys', Array.from({ length: 20_000 }, (_, n) => `k${n}: 1`).join('\n')],
    ['one key over and over', 'a: 1\n'.repeat(52_000)],
    ['tabs before keys', 'a:\n\tb\n'.repeat(37_000)],
    ['a syntax error a line', '%a\n"b" c\n'.repeat(26_000)],
  ])('%s', (_what, text) => {
    // Of this process: the machine may be busy with others.
    const started = process.cpuUsage();
    expect(problems(text).length).toBeGreaterThan(0);
    expect(process.cpuUsage(started).user / 1_000).toBeLessThan(4_000);
  });

  test('brackets inside quotes are text', () => {
    expect(problems(`a: "${'['.repeat(100)}"\nb: 'it''s [[[ '\n`, z.record(z.string(), z.string()))).toEqual(
      [],
    );
  });
});

describe('a secret', () => {
  test('is never shown: values of secret keys, of env, of user info, and of a whole secret document', () => {
    const text = `${GOOD}runs:\n  env: {CRM: 424242}\nsaas_url: https://me:424242@saas.example/424242\n`;
    expect(problems(text)).toHaveLength(2);
    expect(problems(text).join()).not.toContain('424242@');
    expect(problems(text)[0]).toContain('runs.env.CRM: found a number (not shown), expected a text');
    expect(problems('A: 424242\nB: "x\n', FlowSecrets, true).join()).not.toContain('424242');
    expect(problems('A: 424242\n', FlowSecrets, true)).toEqual([
      'agent.yaml:1:4: A: found a number (not shown), expected a text',
    ]);
  });

  test('is not shown by errors of syntax', () => {
    expect(problems('A: "hunter2\\q"\nB: hunter2: hunter2\n', FlowSecrets, true).join()).not.toContain(
      'hunter2',
    );
  });
});

test('a key that a record of names would lose is refused', () => {
  expect(problems(`${GOOD}labels:\n  __proto__: lost\n`)).toEqual([
    'agent.yaml:6:3: found the key "__proto__", expected another name',
  ]);
});

test('property: what yaml writes is read as it was', () => {
  // The one name that is refused; see above.
  const text = fc
    .string({ unit: 'grapheme' })
    .filter((value) => !value.includes('\0') && value !== '__proto__');
  const schema = z.record(z.string(), z.unknown());
  fc.assert(
    fc.property(fc.dictionary(text, fc.oneof(text, fc.integer(), fc.boolean(), fc.array(text))), (value) => {
      const outcome = parseYaml(stringify(value, { lineWidth: 0 }), schema);
      expect(outcome).toEqual({ kind: 'valid', value: { ...value }, raw: { ...value } });
    }),
    { numRuns: 200 },
  );
});
