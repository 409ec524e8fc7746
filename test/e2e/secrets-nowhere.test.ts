import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { RunReport } from '../../schemas/run.ts';
import type { Status } from '../../schemas/status.ts';
import { createRedactor } from '../../system/redaction.ts';
import { bundleOf } from '../support/bundles.ts';
import { type ConsoleWorld, createConsoleWorld, type EnrolledMachine } from '../support/console-world.ts';
import { type Daemon, until } from '../support/daemon.ts';

/** What encoders treat in ways of their own, an identifier, and a key of many lines. */
const FLOW_SECRETS = {
  CRM_PASSWORD: 'p%ss w"rd/é€+&<ü>',
  API_TOKEN: 'tok_9f2c41d87e60',
  SIGNING_KEY: `-----BEGIN KEY-----\n${'Qk9vS2V5TWF0ZXJpYWw'.repeat(3)}\n${'x7GhP0aa'.repeat(6)}\n-----END KEY-----`,
} as const;

/** Prints every secret in every way that a program may, on both streams, in pieces, and as the name of a file. */
const LOUD = `
import base64, html, json, os, sys, time, urllib.parse
values = [os.environ[name] for name in ("CRM_PASSWORD", "API_TOKEN", "SIGNING_KEY")]
forms = []
for value in values:
    raw = value.encode()
    forms += [value, json.dumps(value), json.dumps(json.dumps(value)), repr(value), repr(raw), html.escape(value), raw.hex()]
    forms += [urllib.parse.quote(value), urllib.parse.quote(value, safe=""), urllib.parse.quote_plus(value)]
    forms += ["".join("&#%d;" % ord(c) for c in value), "".join("\\\\u%04x" % ord(c) for c in value)]
    for before in ("", "a", "ab"):
        forms += [base64.b64encode(before.encode() + raw + b":end").decode(), base64.urlsafe_b64encode(before.encode() + raw).decode().rstrip("=")]
    forms += [base64.encodebytes(b"user:" * 9 + raw + b"-" * 50).decode(), "https://user:" + urllib.parse.quote(value, safe="") + "@crm.example/"]
for stream in (sys.stdout, sys.stderr):
    for form in forms:
        stream.write("before " + form + " after\\n")
    stream.flush()
    for value in values:
        for char in value:
            stream.write(char)
            stream.flush()
        stream.write("\\n")
    stream.buffer.write("\\n".join(values).encode("utf-16-le"))
    stream.flush()
open(os.path.join(os.environ["EDGE_OUTPUT_DIR"], values[1] + ".txt"), "w").write("left")
time.sleep(1)
print("the end")
`;
const FAILING = `
import os, sys
sys.exit("login with " + os.environ["API_TOKEN"] + " and " + os.environ["CRM_PASSWORD"] + " was refused")
`;
const SERVICE = `
import os, sys
print("serving with " + os.environ["API_TOKEN"], flush=True)
sys.exit("no port for " + os.environ["CRM_PASSWORD"])
`;

let world: ConsoleWorld;
let machine: EnrolledMachine;
let daemon: Daemon;
/** Command lines of the daemon and what it started. */
const commandLines = new Set<string>();
/** What commands printed, by their words. */
const printed = new Map<string, string>();
let secrets: Record<string, string>;

/** In any of the spellings that redaction knows; which secret, or null. */
function found(bytes: Buffer): string | null {
  const shows = (some: readonly string[]) => {
    const stream = createRedactor(some).stream();
    return !Buffer.concat([stream.write(bytes), stream.end()]).equals(bytes);
  };
  if (!shows(Object.values(secrets))) return null;
  return Object.keys(secrets).find((name) => shows([secrets[name] as string])) ?? 'one of them';
}

function* filesBelow(folder: string): Generator<string> {
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* filesBelow(path);
    else if (entry.isFile()) yield path;
  }
}

/** Linux shows them; elsewhere there is nothing to look at. */
function readCommandLines(): void {
  if (!existsSync('/proc')) return;
  const parents = new Map<number, number>();
  const lines = new Map<number, string>();
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'utf8');
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]));
      lines.set(Number(name), readFileSync(`/proc/${name}/cmdline`, 'utf8'));
    } catch {
      // It has ended.
    }
  }
  for (const [pid, line] of lines) {
    for (let at: number | undefined = pid; at !== undefined && at > 1; at = parents.get(at)) {
      if (at === daemon.process.pid) commandLines.add(line);
    }
  }
}

const command = async (...args: string[]) => {
  const { stdout, stderr } = await machine.agent(...args);
  printed.set(args.join(' '), stdout + stderr);
  return stdout;
};

beforeAll(async () => {
  world = await createConsoleWorld();
  const names = Object.keys(FLOW_SECRETS);
  const flow = async (id: string, main: string, more: object = {}) => ({
    id,
    version: 'v1',
    runtime: 'python',
    secrets: names,
    retries: 0,
    ...more,
    ...(await uploaded(id, main)),
  });
  const uploaded = async (id: string, main: string) => {
    const bundle = bundleOf({ 'main.py': main });
    return { edge_url: await world.upload(`${id}.tar.gz`, bundle), sha256: bundle.sha256 };
  };
  const service = { runtime: 'service', service: { port_env: 'PORT', ready: '/', live: '/' } };
  const health = { args: ['--self-test'], timeout: '20s' };
  await world.release([
    await flow('loud', LOUD),
    await flow('failing', FAILING),
    await flow('unhealthy', FAILING, { health }),
    await flow('serving', SERVICE, service),
  ]);
  machine = await world.enrol('talking');
  const credentials = join(machine.folder, 'credentials');
  writeFileSync(join(credentials, 'secrets.yaml'), JSON.stringify(FLOW_SECRETS), { mode: 0o600 });
  const { d } = JSON.parse(readFileSync(join(credentials, 'device.jwk'), 'utf8')) as { d: string };
  const gitToken = readFileSync(join(credentials, 'git-token'), 'utf8').trim();
  secrets = { ...FLOW_SECRETS, deviceKey: d, gitToken: gitToken.split(':').at(-1) as string };
  await machine.adjust([
    [['log', 'level'], 'debug'],
    [['runs', 'env'], { FTP_PROXY: 'none' }],
  ]);

  daemon = machine.start('run', '--verbose');
  let looking = true;
  const watching = (async () => {
    while (looking) {
      readCommandLines();
      await sleep(40);
    }
  })();

  const isActive = async (id: string) => {
    const status = await machine.json<Status>('status').catch(() => null);
    return status?.flows.some((each) => each.id === id && each.phase === 'active') === true;
  };
  await until('active flows', async () => (await isActive('loud')) && (await isActive('failing')), 120_000);
  await command('trigger', 'loud', '--wait');
  await command('trigger', 'failing', '--wait');
  await until('reports of both runs at the console', async () => {
    const answer = await fetch(`${world.url}/api/agents/${machine.agentId}/runs`, {
      headers: { 'x-api-key': world.running.apiKey },
    });
    const text = await answer.text();
    printed.set('the console about runs', text);
    return ['failing', 'loud', 'succeeded'].every((word) => text.includes(word)) ? text : null;
  });
  looking = false;
  await watching;
}, 240_000);

afterAll(async () => {
  await daemon?.stop('SIGKILL');
  await world?.[Symbol.asyncDispose]();
});

describe('secrets of a busy agent', () => {
  it('are replaced in what the flow printed, and everything around them is there', async () => {
    const runs = JSON.parse(await command('--output', 'json', 'runs')) as RunReport[];
    const encoded = Buffer.from(FLOW_SECRETS.API_TOKEN).toString('base64');
    expect(found(Buffer.from(`so would ${encoded} be found`))).toBe('API_TOKEN');
    const loud = runs.find((run) => run.flow === 'loud')?.run_id as string;
    const { stdout, stderr } = JSON.parse(await command('--output', 'json', 'logs', loud)) as RunReport;
    for (const text of [stdout, stderr]) {
      expect(text.match(/before .*?\[redacted\].*? after/gs)?.length).toBeGreaterThan(40);
      expect(found(Buffer.from(text))).toBeNull();
    }
    expect(stdout.endsWith('the end\n')).toBe(true);
  });

  it('are in no answer of a command', async () => {
    for (const words of [
      'status',
      'events',
      'runs',
      'doctor',
      'verify',
      'validate',
      'retry --list',
      'logs service-serving',
      '--output json status',
      '--output json events --last 500',
      '--output json runs',
      '--output json doctor',
    ]) {
      await command(...words.split(' '));
    }
    for (const [words, text] of printed)
      expect({ words, found: found(Buffer.from(text)) }).toEqual({ words, found: null });
    expect(printed.get('doctor')).not.toBe('');
    expect(printed.get('--output json events --last 500')).toContain('RunFailed');
  });

  it('are in no command line of the daemon and of what it started', () => {
    expect(commandLines.size).toBeGreaterThan(existsSync('/proc') ? 2 : -1);
    for (const line of commandLines)
      expect({ line, found: found(Buffer.from(line)) }).toEqual({ line, found: null });
  });

  it('are in nothing that the agent wrote or printed: log, events, database, output, pointer', async () => {
    await daemon.stop();
    expect(found(Buffer.from(daemon.output()))).toBeNull();
    let files = 0;
    const leaks: { file: string; found: string }[] = [];
    for (const path of filesBelow(machine.folder)) {
      const file = relative(machine.folder, path);
      // Where secrets live, and what flows wrote themselves into folders of their own.
      if (
        file.startsWith('credentials/') ||
        /\.agent\/runs\/[^/]+\/\d+\/(?:work|output|home|tmp)\//.test(file)
      )
        continue;
      files += 1;
      const name = found(readFileSync(path)) ?? found(Buffer.from(file));
      if (name !== null) leaks.push({ file, found: name });
    }
    expect(leaks).toEqual([]);
    expect(files).toBeGreaterThan(10);
    // It looked at what it set out to look at.
    const seen = [...filesBelow(machine.folder)].map((path) => relative(machine.folder, path)).join('\n');
    for (const part of ['agent.db', 'events.jsonl', 'stdout.log', 'edge-agent', 'current.json'])
      expect(seen).toContain(part);
  });

  it('are in nothing that the console was sent', () => {
    const data = join(world.folder, 'data');
    const leaks = [...filesBelow(data)].flatMap((path) => {
      const name = found(readFileSync(path));
      return name === null ? [] : [{ file: relative(data, path), found: name }];
    });
    expect(leaks).toEqual([]);
    expect([...filesBelow(data)].length).toBeGreaterThan(3);
  });
});
