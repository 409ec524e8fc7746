import { execFile, execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { PrivateJwk } from '../../schemas/jws.ts';
import { AGENT_MAIN } from '../support/agent-program.ts';
import { createSignedTenant, type SignedTenant, SLUG, type TenantMachine } from '../support/signed-tenant.ts';
import { page } from './markdown.ts';

const GUIDE = 'docs/guides/key-ceremony.md';
const PEOPLE = ['ann', 'ben', 'publisher'] as const;
type Person = (typeof PEOPLE)[number];
const PASSPHRASE = 'fence orbit salad tulip 9 engine';

interface Said {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** The commands of the guide in order, with the heading they stand under. A line that ends with a backslash goes on. */
function commandsOf(guide: string): { step: string; person: Person; command: string }[] {
  return guide.split(/^## /m).flatMap((section) => {
    const step = section.split('\n')[0] ?? '';
    return [...section.matchAll(/^```sh (\w+)\n(.*?)^```$/gms)].flatMap(([, person, text]) => {
      const lines = (text ?? '').replaceAll(/\\\n\s*/g, '').split('\n');
      const commands = lines.filter((line) => line.trim() !== '' && !line.startsWith('#'));
      return commands.map((command) => ({ step, person: person as Person, command }));
    });
  });
}

let folder: string;
let tenant: SignedTenant;
let machine: TenantMachine;
/** What was read out last. */
let read = '';
const place = (...parts: string[]) => join(folder, ...parts);
const home = (person: Person) => (person === 'publisher' ? place('publisher', 'branch') : place(person));

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'ceremony-guide-'));
  for (const name of ['bin', 'stick', 'safe', 'ann', 'ben', 'publisher']) mkdirSync(place(name));
  writeFileSync(place('bin', 'edge-agent'), `#!/bin/sh\nexec '${process.execPath}' '${AGENT_MAIN}' "$@"\n`);
  chmodSync(place('bin', 'edge-agent'), 0o755);
  tenant = await createSignedTenant();
  machine = tenant.machine();
  execFileSync('git', ['clone', '-q', machine.repository.path, place('publisher', 'branch')], {
    stdio: 'ignore',
  });
  for (const [name, value] of [
    ['user.name', 'Ann'],
    ['user.email', 'ann@example.invalid'],
  ] as const)
    execFileSync('git', ['-C', home('publisher'), 'config', name, value]);
  writeFileSync(join(home('publisher'), 'manifest.json'), tenant.manifest('hello', { version: 'v1' }));
}, 60_000);
afterAll(async () => {
  await tenant?.[Symbol.asyncDispose]();
  rmSync(folder, { recursive: true, force: true });
});

/** As that person types it, in their own folder, with nothing of another one's but the stick. */
function type(person: Person, command: string): Promise<Said> {
  const env = {
    HOME: place(person),
    PATH: [place('bin'), ...(process.env['PATH'] ?? '').split(delimiter)].join(delimiter),
    STICK: place('stick'),
    SAFE: place('safe'),
    READ: read,
  };
  return new Promise((resolve) => {
    const child = execFile(
      'bash',
      ['-euc', command],
      { cwd: home(person), env, timeout: 60_000 },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
    child.stdin?.on('error', () => {});
    child.stdin?.end(`${PASSPHRASE}\n`);
  });
}

/** What somebody who follows the guide would stop at. Whoever has looked at a document has read its digest out. */
function faultsOf(person: Person, command: string, { stdout, stderr }: Said): string[] {
  const faults = /warning/.test(stderr) ? [`a warning: ${stderr}`] : [];
  if (command.includes(' root show ')) {
    const digits = readOut(stdout) ?? '';
    if (digits === '') faults.push('nothing to read out');
    // Ben looks at what Ann looked at, but for root 4, which he drafts himself.
    if (person === 'ben' && !command.includes('4.root') && digits !== read)
      faults.push(`${digits} where the other one has read out ${read}`);
    read = digits;
    if (command.includes('--known') && stdout.includes('unknown')) faults.push('a key that nobody knows');
  }
  if (command.includes(' root combine ') && !stdout.includes('Complete.')) faults.push('not complete');
  return faults;
}

/** The first four groups of the line `read out`. */
const readOut = (stdout: string) => /^read out +((?:[0-9a-f]{4} ?){4})/m.exec(stdout)?.[1]?.trim();

describe('the guide to the key ceremony', () => {
  const commands = commandsOf(page(GUIDE));

  it('has commands for Ann, Ben and whoever publishes, and no block that this test passes over', () => {
    expect(commands.length).toBeGreaterThan(50);
    expect([...new Set(commands.map(({ person }) => person))].toSorted()).toEqual([...PEOPLE]);
    expect([...page(GUIDE).matchAll(/^```(?!$)(.*)$/gm)].map(([, info]) => info)).toEqual(
      expect.arrayContaining(PEOPLE.map((person) => `sh ${person}`)),
    );
    expect([...page(GUIDE).matchAll(/^```(?!$|sh (?:ann|ben|publisher)$)/gm)]).toEqual([]);
  });

  it('is carried out as it is written, by two people in separate folders, and agents believe what comes of it', async () => {
    const believed: string[] = [];
    for (const { step, person, command } of commands) {
      const said = await type(person, command);
      expect({ step, person, command, ...said, faults: faultsOf(person, command, said) }).toMatchObject({
        code: 0,
        faults: [],
      });
      if (!command.startsWith('git push')) continue;
      if (believed.length === 0)
        writeFileSync(join(machine.folder, 'root.jws.json'), readFileSync(place('stick', '1.root.jws.json')));
      const { report } = await machine.apply();
      believed.push(`root ${report.trust.root_version}, release ${report.trust.seq}`);
    }
    expect(believed).toEqual([
      'root 1, release 1',
      'root 2, release 2',
      'root 3, release 1',
      'root 4, release 2',
    ]);
  }, 300_000);

  it('leaves private keys with their owners, closed, and sealed where it says so', () => {
    const files = (name: string) => readdirSync(place(name));
    expect(files('ann').filter((name) => /^[\w-]+\.jwk$/.test(name))).toEqual([
      'root-ann-2.jwk',
      'root-ann.jwk',
    ]);
    expect(files('ben').filter((name) => /^[\w-]+\.jwk$/.test(name))).toEqual(['root-ben.jwk']);
    expect(files('stick').filter((name) => name.endsWith('.jwk') && !name.endsWith('.pub.jwk'))).toEqual([]);
    const sealed = [
      place('ann', 'root-ann.jwk'),
      place('ben', 'root-ben.jwk'),
      place('safe', 'root-spare.jwk'),
    ];
    for (const file of [...sealed, place('publisher', 'release.jwk')]) {
      expect(existsSync(file)).toBe(true);
      expect(statSync(file).mode & 0o777).toBe(0o600);
    }
    for (const file of sealed) expect(() => JSON.parse(readFileSync(file, 'utf8'))).toThrow(SyntaxError);
    expect(
      PrivateJwk.safeParse(JSON.parse(readFileSync(place('publisher', 'release.jwk'), 'utf8'))).success,
    ).toBe(true);
  });

  it('leaves the stolen release key and the lost root key without use', async () => {
    const stolen =
      'edge-agent release sign --manifest manifest.json --root roots/2.root.jws.json --key ../release.jwk --tenant acme --seq 9';
    expect(await type('publisher', stolen)).toMatchObject({ code: 0 });
    const evil = {
      ...branchFiles(),
      'release.jws.json': readFileSync(join(home('publisher'), 'release.jws.json'), 'utf8'),
    };
    machine.publish(evil);
    expect(await machine.reconcile()).toMatchObject({ code: 3, error: { code: 'threshold_not_met' } });
    expect(await machine.runs()).toBe('hello\n');
    expect(await type('publisher', stolen.replace('2.root', '4.root'))).toMatchObject({ code: 2 });

    const draft = 'edge-agent root rotate "$STICK/4.root.jws.json" --expires 365d --out 5.root.jws.json';
    expect(await type('ann', draft)).toMatchObject({ code: 0 });
    const signed = await type(
      'ann',
      'edge-agent root sign 5.root.jws.json --previous "$STICK/4.root.jws.json" --key root-ann.jwk',
    );
    expect(signed).toMatchObject({ code: 2 });
    expect(signed.stderr).toContain('expected a root key of root 5 or 4');
  }, 60_000);

  it('signs nothing but what was read out', async () => {
    const sign = 'edge-agent root sign 5.root.jws.json --key root-ann-2.jwk';
    const wrong = await type('ann', `${sign} --expect '0123 4567 89ab cdef'`);
    expect(wrong).toMatchObject({ code: 2 });
    expect(wrong.stderr).toContain('it is not the document that was read out; nothing was signed');
    expect(await type('ann', `${sign} --expect 0123`)).toMatchObject({ code: 2 });
    expect(JSON.parse(readFileSync(place('ann', '5.root.jws.json'), 'utf8'))).toMatchObject({
      signatures: [],
    });
    read = readOut((await type('ann', 'edge-agent root show 5.root.jws.json')).stdout) as string;
    expect(await type('ann', `${sign} --expect "$READ"`)).toMatchObject({ code: 0 });
  }, 60_000);
});

function branchFiles(): Record<string, string> {
  const git = (...args: string[]) => machine.repository.git(...args);
  const branch = `tenant/${SLUG}`;
  const names = git('ls-tree', '-r', '--name-only', branch).split('\n');
  return Object.fromEntries(names.map((name) => [name, `${git('show', `${branch}:${name}`)}\n`]));
}
