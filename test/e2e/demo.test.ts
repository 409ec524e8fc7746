import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { browserCommand } from '../../examples/demo/browser.ts';
import { type AgentDetail, AgentsAnswer } from '../../schemas/console/agent.ts';
import { Overview } from '../../schemas/console/overview.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const MAIN = fileURLToPath(new URL('../../examples/demo/main.ts', import.meta.url));
/** Alone on a machine it takes 15 s; here other tests run beside it. */
const DEADLINE_MS = 240_000;

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'demo of ours é '));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

interface Demo {
  /** Resolves with the output when it has this text. Rejects when the demo ends first. */
  says(text: string): Promise<string>;
  signal(name: NodeJS.Signals): void;
  readonly ended: Promise<{ code: number | null; stdout: string; stderr: string }>;
}

/** The demo as a process, with a temp folder of its own, so that whatever it leaves behind is seen there. */
function startDemo(args: readonly string[], env: Readonly<Record<string, string>> = {}): Demo {
  const child = spawn(process.execPath, [MAIN, ...args], {
    env: { ...process.env, TMPDIR: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const looking = new Set<() => void>();
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    for (const look of looking) look();
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const ended = new Promise<{ code: number | null; stdout: string; stderr: string }>((resolve) => {
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
  return {
    ended,
    signal: (name) => void child.kill(name),
    says: (text) =>
      new Promise((resolve, reject) => {
        const look = () => {
          if (stdout.includes(text)) resolve(stdout);
        };
        looking.add(look);
        look();
        void ended.then(() => reject(new Error(`expected "${text}", found the end:\n${stdout}\n${stderr}`)));
      }),
  };
}

/** A folder with a browser in it that leaves a file when it is started. */
function browserThatTells(): string {
  const bin = join(folder, 'desktop');
  mkdirSync(bin);
  writeFileSync(join(bin, 'xdg-open'), `#!/bin/sh\necho "$1" > '${join(bin, 'opened')}'\n`, { mode: 0o755 });
  return bin;
}

/** Where the address leads, and the session that it gives; none: ''. */
async function enter(door: string): Promise<{ page: string; cookie: string }> {
  const answer = await fetch(door, { redirect: 'manual' });
  expect(answer.status).toBe(303);
  const session = answer.headers.getSetCookie().find((cookie) => cookie.startsWith('edge_console='));
  return { page: answer.headers.get('location') as string, cookie: session?.split(';')[0] ?? '' };
}

/** What the button Run of the page does, for whoever has signed in; the outcome. */
async function runFromPage(page: string, cookie: string, agentId: string | undefined): Promise<unknown> {
  const { csrf } = JSON.parse(await text(`${page}api/session`, cookie)) as { csrf: string };
  const answer = await fetch(`${page}api/actions`, {
    method: 'POST',
    headers: {
      cookie,
      origin: new URL(page).origin,
      'x-csrf-token': csrf,
      'content-type': 'application/json',
    },
    body: JSON.stringify({
      action: 'run',
      targets: { agents: [agentId] },
      flow: 'daily-report',
      reason: 'the demo said so',
    }),
  });
  const body = (await answer.json()) as { outcomes?: [{ outcome: string }] };
  return body.outcomes?.[0].outcome ?? body;
}

async function text(url: string, cookie: string, accept = 'application/json'): Promise<string> {
  const answer = await fetch(url, { headers: { cookie, accept } });
  const body = await answer.text();
  expect({ status: answer.status, body }).toMatchObject({ status: 200 });
  return body;
}

/** Command lines of processes that have something to do with the folder. */
function processesAbout(path: string): string[] {
  if (!existsSync('/proc/self/environ')) return [];
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name) && name !== String(process.pid))
    .flatMap((pid) => {
      try {
        const command = readFileSync(join('/proc', pid, 'cmdline'), 'utf8').replaceAll('\0', ' ');
        const environment = readFileSync(join('/proc', pid, 'environ'), 'utf8');
        return command.includes(path) || environment.includes(path) ? [command] : [];
      } catch {
        return [];
      }
    });
}

function expectNothingLeft(): void {
  expect(readdirSync(folder)).toEqual([]);
  expect(processesAbout(folder)).toEqual([]);
}

describe('npm run demo', { timeout: DEADLINE_MS }, () => {
  it('shows the main job from commit to notify body, a switch and a refusal, and leaves nothing', async () => {
    const { code, stdout, stderr } = await startDemo(['--once']).ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).not.toContain('\u001b');
    const told = [
      /^1\. A console/m,
      /Open {2}http:\/\/127\.0\.0\.1:\d+\/[\w-]{16}\n +signs you in, once; or http:\S+ as demo, password [0-9a-f-]{18}/,
      /signed by 2 of its 3 root keys/,
      /\$ git push origin tenant\/acme/,
      /This machine is agent [0-9a-f-]{36} of acme\./,
      /● Ready {2}tenant\/acme@sha1:[0-9a-f]{12}…/,
      /[├└]── daily-report\/v1\.0\.0\//,
      /daily-report → flows\/daily-report\/v1\.0\.0/,
      /"run_id": "[0-9a-f-]{36}"/,
      /"stdout": "3 orders, 510\.50 in all, reported by v1\.0\.0\\n"/,
      /"status": "succeeded"/,
      /"outputs": \[\{"name":"report\.txt","size":92/,
      /exit code 6; the console received\s+\{"status":"failed","exit_code":3/,
      /of\s+the\s+other\s+4;\s+all\s+have\s+called\s+the\s+console:\s+no\s+port\s+is\s+open/,
      /RevisionSeen/,
      /VersionActivated flow daily-report: v1\.1\.0 is active, v1\.0\.0 was/,
      /- daily-report → flows\/daily-report\/v1\.0\.0/,
      /\+ daily-report → flows\/daily-report\/v1\.1\.0/,
      /8\. A signed command runs a flow from afar/,
      /202 \{"command_id":"[0-9a-f-]{36}"/,
      /\{"status":"succeeded","trigger":"command","version":"v1\.1\.0"/,
      /170\.17 each, reported by v1\.1\.0/,
      /ReleaseRefused, code manifest_mismatch/,
      /current\.json is byte for byte what it was/,
      /daily-report → flows\/daily-report\/v1\.1\.0/,
      /170\.17 each, reported by v1\.1\.0/,
      /\$ git revert HEAD && git push/,
      /\$ edge-agent status\n.*● Ready/,
      /daily-report {2}v1\.1\.0 {2}v1\.1\.0 {3}active/,
      /10\. 4 of 5 are ready/,
      /\{"ready":4,"stalled":1,"connected":"5 of 5"\}/,
      /✘ PARIS-SHOP-01: url_not_allowed/,
      /Everything the demo started has ended/,
    ];
    let rest = stdout;
    for (const wanted of told) {
      const found = wanted.exec(rest);
      expect(found, `${wanted} after:\n${stdout.slice(0, stdout.length - rest.length)}`).not.toBeNull();
      rest = rest.slice((found?.index ?? 0) + (found?.[0].length ?? 0));
    }
    expect(stdout).not.toContain('your orders are mine');
    expect(missingLines(readmeExcerpt(), stdout)).toEqual([]);
    expectNothingLeft();
  });

  it('stays up with a page and five agents, and what it says mends the broken one', async () => {
    execFileSync(process.execPath, [join(ROOT, 'scripts/build-web.ts')], { stdio: 'pipe' });
    // Longer than the path of a socket may be.
    const deep = join(folder, 'd'.repeat(120));
    mkdirSync(deep);
    const bin = browserThatTells();
    const demo = startDemo([], { TMPDIR: deep, DISPLAY: ':0', PATH: `${bin}:${process.env['PATH']}` });
    const told = await demo.says('Ctrl-C ends it all');
    const door = /Open {2}(\S+)/.exec(told)?.[1] as string;
    const { page, cookie } = await enter(door);
    expect(await text(page, cookie, 'text/html')).toContain('<div id="page">');
    // Once: who comes later has to sign in.
    expect((await enter(door)).cookie).toBe('');
    const overview = async () => Overview.parse(JSON.parse(await text(`${page}api/overview`, cookie)));
    const before = await overview();
    expect(before).toMatchObject({
      total: 5,
      connected: 5,
      states: { ready: 4, stalled: 1 },
      verdict: { code: 'some_stalled', main: { count: 1 } },
      worst: [{ hostname: 'PARIS-SHOP-01', labels: { site: 'paris' } }],
    });
    const [worst] = before.worst;
    expect(worst?.problem?.message).toContain('artifacts.allow');
    const detail = JSON.parse(await text(`${page}api/agents/${worst?.agent_id}`, cookie)) as AgentDetail;
    expect(detail.can_command).toBe(true);
    const found = await text(`${page}api/agents?q=LYON-OFFICE-01`, cookie);
    const [lyon] = AgentsAnswer.parse(JSON.parse(found)).agents;
    expect(await runFromPage(page, cookie, lyon?.agent_id)).toBe('queued');

    // As it is printed, for anybody to paste.
    await shell(/^ +(sed .*)$/m.exec(told)?.[1] as string);
    const ready = async () => (await overview()).states.ready;
    await expect.poll(ready, { timeout: 60_000, interval: 500 }).toBe(5);

    const machine = /^ +cd '(.*\/machine)'$/m.exec(told)?.[1] as string;
    expect(await shell(`cd '${machine}' && ./edge-agent status`)).toMatch(/^● Ready/);
    expect(await shell(`cd '${machine}' && ./edge-agent trigger daily-report --wait`)).toContain(
      'reported by v1.1.0',
    );
    demo.signal('SIGINT');
    // npm passes on what the terminal has sent already.
    demo.signal('SIGINT');
    const { code, stderr } = await demo.ended;
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    // A desktop there is, a terminal there is not.
    expect(readdirSync(bin)).toEqual(['xdg-open']);
    rmSync(bin, { recursive: true });
    rmdirSync(deep);
    expectNothingLeft();
  });

  it.each([
    ['linux', { DISPLAY: ':0' }, true, ['xdg-open']],
    ['linux', { WAYLAND_DISPLAY: 'wayland-0' }, true, ['xdg-open']],
    ['linux', {}, true, null],
    ['linux', { DISPLAY: ':0' }, false, null],
    ['linux', { DISPLAY: ':0', CI: 'true' }, true, null],
    ['linux', { DISPLAY: ':0', NO_BROWSER: '1' }, true, null],
    ['linux', { DISPLAY: 'localhost:10.0', SSH_CONNECTION: '10.0.0.2 50514 10.0.0.1 22' }, true, null],
    ['darwin', {}, true, ['open']],
    ['darwin', { CI: '1' }, true, null],
    ['win32', {}, true, ['cmd', '/c', 'start', '""']],
  ] as const)(
    'opens a browser only where somebody sits at a desktop: %s %j, terminal %s',
    (platform, env, isTerminal, wanted) => {
      expect(browserCommand({ platform, env, isTerminal })).toEqual(wanted);
    },
  );

  it('leaves nothing when it is interrupted half-way, and says so by its exit code', async () => {
    const demo = startDemo(['--once']);
    await demo.says('This machine is agent');
    demo.signal('SIGTERM');
    expect((await demo.ended).code).toBe(143);
    expectNothingLeft();
  });

  it('names what is missing before it begins', async () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    writeFileSync(join(bin, 'python3'), `#!/bin/sh\necho 3.9.1\necho "$0"\n`);
    chmodSync(join(bin, 'python3'), 0o755);
    const { code, stdout, stderr } = await startDemo(['--once'], { PATH: bin }).ended;
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr).toContain('expected git 2.28 or later on PATH, found none; install it');
    expect(stderr).toMatch(/expected Python 3\.11 or later .*python3 is 3\.9\.1; install it/);
    expect(readdirSync(folder)).toEqual(['bin']);
  });

  it('says what went wrong, ends with 1 and leaves nothing when a step fails', async () => {
    const bin = join(folder, 'bin');
    mkdirSync(bin);
    // A git that cannot push.
    writeFileSync(
      join(bin, 'git'),
      `#!/bin/sh\n[ "$1" = push ] && { echo "fatal: no way" >&2; exit 128; }\nPATH='${process.env['PATH']}' exec git "$@"\n`,
    );
    chmodSync(join(bin, 'git'), 0o755);
    const { code, stderr } = await startDemo(['--once'], { PATH: `${bin}:${process.env['PATH']}` }).ended;
    expect(code).toBe(1);
    expect(stderr).toContain('demo: git push: expected exit code 0, found 128; it said:\nfatal: no way');
    expect(readdirSync(folder)).toEqual(['bin']);
    expect(processesAbout(folder)).toEqual([]);
  });

  it('refuses an option it does not know', async () => {
    const { code, stderr } = await startDemo(['--twice']).ended;
    expect(code).toBe(2);
    expect(stderr).toContain('usage: npm run demo [-- --once]');
  });
});

function readmeExcerpt(): string {
  const readme = readFileSync(new URL('../../README.md', import.meta.url), 'utf8');
  return /^```text demo\n([^]+?)^```$/m.exec(readme)?.[1] ?? 'expected an excerpt in README.md, found none';
}

/** Lines of the excerpt that the text has not, in their order. Ids, digests, sizes and times differ each time; "…" is left out. */
function missingLines(excerpt: string, text: string): string[] {
  const alike = (line: string) =>
    line
      .trim()
      .replaceAll(/\b[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}\b/g, '<id>')
      .replaceAll(/\b[0-9a-f]{40}\b|\b[0-9a-f]{12}…|\b[0-9a-f]{8}\b/g, '<digest>')
      .replaceAll(/http:\/\/127\.0\.0\.1:\d+\/[\w-]{16}$/g, '<door>')
      .replaceAll(/\b\d+ bytes\b/g, '<bytes>')
      .replaceAll(/[+]?\b[\d.]+ (s|min)\b/g, '<time>');
  const lines = text.split('\n').map(alike);
  return excerpt
    .split('\n')
    .map(alike)
    .filter((line) => line !== '' && line !== '…')
    .filter((line) => {
      const at = lines.indexOf(line);
      if (at !== -1) lines.splice(0, at + 1);
      return at === -1;
    });
}

async function shell(script: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn('sh', ['-c', script], { stdio: ['ignore', 'pipe', 'pipe'] });
    let output = '';
    child.stdout.on('data', (data: Buffer) => (output += data.toString()));
    child.stderr.on('data', (data: Buffer) => (output += data.toString()));
    child.on('close', (code) => {
      if (code === 0) resolve(output);
      else reject(new Error(`${script}: exit code ${code}\n${output}`));
    });
  });
}
