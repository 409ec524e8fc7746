import { execFile } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseDocument } from 'yaml';
import type { AddedTenant } from '../../console/admin.ts';
import type { ConsoleOptions } from '../../console/server.ts';
import type { PrivateJwk } from '../../schemas/jws.ts';
import { type CommandPayload, signCommand } from '../../trust/ceremony/command.ts';
import { serialiseDocument, signDocument } from '../../trust/ceremony/draft.ts';
import { newKey } from '../../trust/ceremony/new-key.ts';
import { makeReleaseStatement, signRelease } from '../../trust/ceremony/release.ts';
import { newRoot } from '../../trust/ceremony/root-draft.ts';
import { git, type RunningConsole, startConsole, withBasic } from '../console/running-console.ts';
import { AGENT_MAIN } from './agent-program.ts';
import type { Bundle } from './bundles.ts';
import { type Daemon, startProgram } from './daemon.ts';
import type { Finished } from './world.ts';

/** What a command says beside its envelope. */
export type CommandDraft =
  | { action: 'run'; run_id?: string; flow: string; version?: string; inputs?: unknown; timeout?: string }
  | { action: 'cancel'; run_id: string }
  | { action: 'suspend'; by: string; why: string; until?: string }
  | { action: 'resume'; by: string }
  | { action: 'rollback'; flow: string; by: string; why: string };

/** A machine enrolled at the console: a folder with agent.yaml, credentials and cache. */
export interface EnrolledMachine {
  readonly folder: string;
  readonly config: string;
  readonly cache: string;
  readonly agentId: string;
  /** Changes keys of agent.yaml; `undefined` takes one out. */
  adjust(changes: readonly (readonly [path: readonly string[], value: unknown])[]): Promise<void>;
  agent(...args: string[]): Promise<Finished>;
  json<T = Record<string, unknown>>(...args: string[]): Promise<T>;
  /** `edge-agent run`, or another verb that goes on. */
  start(...args: string[]): Daemon;
}

/** A real console with one tenant, its keys and publisher: what a company that releases flows has. */
export interface ConsoleWorld {
  readonly running: RunningConsole;
  readonly url: string;
  readonly folder: string;
  readonly tenant: AddedTenant;
  readonly rootKey: PrivateJwk;
  readonly releaseKey: PrivateJwk;
  readonly triggerKey: PrivateJwk;
  readonly rootText: string;
  /** Uploads a bundle; its URL. */
  upload(name: string, bundle: Bundle): Promise<string>;
  /** Signs, commits and pushes a manifest of flows; the commit, and when the push began (performance.now). */
  release(flows: readonly object[]): Promise<{ commit: string; pushedAt: number }>;
  /** Commits and pushes files beside what lies on the branch, signed or not. */
  publish(files: Readonly<Record<string, string>>): Promise<void>;
  enrol(name: string): Promise<EnrolledMachine>;
  /** A signed command for one agent. */
  sign(agentId: string, draft: CommandDraft, change?: Partial<CommandPayload>): Promise<string>;
  /** Hands a signed command to the console, which brings it to the agent; its answer. */
  send(agentId: string, draft: CommandDraft): Promise<{ command_id: string; state: string }>;
  [Symbol.asyncDispose](): Promise<void>;
}

/** `main`: the program that runs as the agent, of this checkout by default; the benchmark gives a built one. */
export async function createConsoleWorld(
  options: { slug?: string; main?: string; console?: Partial<ConsoleOptions> } = {},
): Promise<ConsoleWorld> {
  const { slug = 'acme', main = AGENT_MAIN } = options;
  const running = await startConsole(options.console);
  const folder = running.directory;
  const rootKey = newKey();
  const releaseKey = newKey();
  const triggerKey = newKey();
  const far = new Date(Date.now() + 365 * 86_400_000).toISOString();
  const root = newRoot({
    expires: far,
    keys: { root: [rootKey], release: [releaseKey], trigger: [triggerKey] },
  });
  const rootText = serialiseDocument(await signDocument(root, rootKey, 'edgeflows-root+jws'));
  const tenant = await running.console.admin.addTenant({ slug, rootDocument: rootText });
  const work = join(folder, 'publisher');
  await mkdir(join(work, 'roots'), { recursive: true });
  await git(work, 'init', '-q', '-b', `tenant/${slug}`);
  await git(work, 'remote', 'add', 'origin', withBasic(tenant.gitUrl, tenant.publisherToken));
  await writeFile(join(work, 'roots', '1.root.jws.json'), rootText);
  let seq = 0;

  const world: ConsoleWorld = {
    running,
    url: running.url,
    folder,
    tenant,
    rootKey,
    releaseKey,
    triggerKey,
    rootText,
    async upload(name, bundle) {
      const url = tenant.artifactsUrl + name;
      const answer = await fetch(url, {
        method: 'PUT',
        headers: { authorization: `Bearer ${tenant.publisherToken}`, 'content-type': 'application/gzip' },
        body: new Uint8Array(bundle.bytes),
      });
      if (answer.status !== 201)
        throw new Error(`expected 201, found ${answer.status}: ${await answer.text()}`);
      return url;
    },
    async release(flows) {
      seq += 1;
      const manifest = JSON.stringify({ manifest_version: 2, flows });
      const statement = makeReleaseStatement({
        tenant: slug,
        seq,
        issued: new Date().toISOString(),
        expires: new Date(Date.now() + 90 * 86_400_000).toISOString(),
        root_version: 1,
        manifestBytes: Buffer.from(manifest),
      });
      await writeFile(join(work, 'manifest.json'), manifest);
      const signed = await signRelease(statement, [releaseKey]);
      await writeFile(join(work, 'release.jws.json'), serialiseDocument(signed));
      await git(work, 'add', '.');
      await git(work, 'commit', '-q', '-m', `Release ${seq}`);
      const pushedAt = performance.now();
      await git(work, 'push', '-q', 'origin', 'HEAD');
      return { commit: (await git(work, 'rev-parse', 'HEAD')).trim(), pushedAt };
    },
    async publish(files) {
      for (const [path, text] of Object.entries(files)) await writeFile(join(work, path), text);
      await git(work, 'add', '.');
      await git(work, 'commit', '-q', '-m', `Put ${Object.keys(files).join(', ')} there`);
      await git(work, 'push', '-q', 'origin', 'HEAD');
    },
    enrol: (name) => enrolMachine({ running, folder, slug, main }, name),
    sign(agentId, draft, change = {}) {
      const now = Date.now();
      const own = draft.action === 'run' && draft.run_id === undefined ? { run_id: randomUUID() } : {};
      const payload = {
        command_id: randomUUID(),
        tenant: slug,
        agent_id: agentId,
        issued: new Date(now).toISOString(),
        expires: new Date(now + 3_600_000).toISOString(),
        ...own,
        ...draft,
        ...change,
      } as CommandPayload;
      return signCommand(payload, triggerKey);
    },
    async send(agentId, draft) {
      const jws = await world.sign(agentId, draft);
      const answer = await fetch(`${running.url}/api/agents/${agentId}/commands`, {
        method: 'POST',
        headers: { 'x-api-key': running.apiKey, 'content-type': 'application/json' },
        body: JSON.stringify({ jws }),
      });
      if (answer.status !== 202)
        throw new Error(`expected 202, found ${answer.status}: ${await answer.text()}`);
      return (await answer.json()) as { command_id: string; state: string };
    },
    [Symbol.asyncDispose]: () => running[Symbol.asyncDispose](),
  };
  return world;
}

async function enrolMachine(
  at: { running: RunningConsole; folder: string; slug: string; main: string },
  name: string,
): Promise<EnrolledMachine> {
  const folder = join(at.folder, 'machines', name);
  await mkdir(folder, { recursive: true });
  const token = await at.running.console.admin.makeEnrolmentToken({ slug: at.slug });
  const words = ['enroll', '--config', 'agent.yaml', '--cache-dir', 'EdgeFlows'];
  const enrolled = await runAgent(at.main, folder, words, token);
  if (enrolled.code !== 0)
    throw new Error(`expected the machine to be enrolled, found ${enrolled.stderr}${enrolled.stdout}`);
  return machineIn(folder, join(folder, 'EdgeFlows'), at.main);
}

/** The machine whose agent.yaml lies in `folder`, however it was enrolled, made ready to run flows in a test. */
export async function machineIn(folder: string, cache: string, main = AGENT_MAIN): Promise<EnrolledMachine> {
  const config = join(folder, 'agent.yaml');
  const agent = (...args: string[]) => runAgent(main, folder, ['--config', config, ...args], '');
  const machine: EnrolledMachine = {
    folder,
    config,
    cache,
    agentId: String(parseDocument(await readFile(config, 'utf8')).get('agent_id')),
    async adjust(changes) {
      const document = parseDocument(await readFile(config, 'utf8'));
      for (const [path, value] of changes) {
        if (value === undefined) document.deleteIn(path);
        else document.setIn(path, value);
      }
      await writeFile(config, document.toString({ lineWidth: 0 }));
    },
    agent,
    async json<T>(...args: string[]) {
      const { stdout, stderr } = await agent('--output', 'json', ...args);
      if (stdout === '') throw new Error(`expected one JSON document, found none: ${stderr}`);
      return JSON.parse(stdout) as T;
    },
    start: (...args) =>
      startProgram(main, folder, ['--config', config, ...(args.length === 0 ? ['run'] : args)]),
  };
  await machine.adjust([
    [['runs', 'allow_root'], true],
    [['runs', 'grace'], '1s'],
    [['log', 'dir'], './log'],
  ]);
  return machine;
}

function runAgent(main: string, cwd: string, args: readonly string[], input: string): Promise<Finished> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      [main, ...args],
      { cwd, maxBuffer: 64 * 1024 * 1024 },
      (error, stdout, stderr) =>
        resolve({ code: error === null ? 0 : Number(error.code ?? -1), stdout, stderr }),
    );
    child.stdin?.end(input);
  });
}
