import { createHash } from 'node:crypto';
import { appendFile, copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { create as createTar } from 'tar';
import type { z } from 'zod';
import type { AddedTenant } from '../../console/admin.ts';
import type { FlowEntry } from '../../schemas/manifest-v2.ts';
import { type AgentProgram, call, callAgent } from './program.ts';
import type { Keys } from './saas-side.ts';

const FLOWS = new URL('../flows/', import.meta.url);
const UPLOAD_TIMEOUT_MS = 30_000;

/** An entry of a v2 manifest. */
export type FlowLine = Pick<
  z.input<typeof FlowEntry>,
  'id' | 'version' | 'edge_url' | 'sha256' | 'size' | 'runtime' | 'timeout' | 'schedule' | 'targets'
>;

/** Who makes releases: a work tree of the tenant branch, the release key, and the token that may push and upload. */
export interface Publisher {
  /** The work tree. */
  readonly folder: string;
  /** Packs `examples/flows/<id>/<version>` and uploads it; its lines for the manifest. */
  upload(id: string, version: string): Promise<FlowLine>;
  /** As above, with the bundle's files given. */
  uploadFiles(id: string, version: string, files: Readonly<Record<string, string>>): Promise<FlowLine>;
  writeManifest(flows: readonly FlowLine[]): Promise<void>;
  /** Signs the manifest as it lies there; the command, as it was. */
  sign(): Promise<string>;
  commitAndPush(message: string): Promise<Pushed>;
  /** Takes back what was pushed last. */
  revertAndPush(): Promise<Pushed>;
}

export interface Pushed {
  readonly commit: string;
  readonly at: Date;
}

export async function createPublisher(given: {
  readonly folder: string;
  readonly tenant: AddedTenant;
  readonly keys: Keys;
  readonly program: AgentProgram;
  readonly env: Readonly<Record<string, string>>;
  readonly signal: AbortSignal;
}): Promise<Publisher> {
  const { folder, tenant, keys, program, env, signal } = given;
  const git = (...args: string[]) =>
    call(`git ${args[0]}`, 'git', args, { cwd: folder, signal, env: { ...env, ...GIT_ENV } });
  await mkdir(folder);
  await openWorkTree(folder, tenant, git);
  await mkdir(join(folder, 'roots'));
  await copyFile(keys.root.file, join(folder, 'roots', '1.root.jws.json'));

  async function uploadFiles(id: string, version: string, files: Readonly<Record<string, string>>) {
    const packing = join(folder, '.git', 'packing', `${id}-${version}`);
    await mkdir(packing, { recursive: true });
    for (const [name, text] of Object.entries(files)) await writeFile(join(packing, name), text);
    const archive = `${packing}.tar.gz`;
    await createTar({ file: archive, gzip: true, cwd: packing, portable: true }, Object.keys(files));
    const bytes = await readFile(archive);
    const edge_url = `${tenant.artifactsUrl}${id}-${version}.tar.gz`;
    await put(edge_url, bytes, tenant.publisherToken, signal);
    const sha256 = createHash('sha256').update(bytes).digest('hex');
    return { id, version, edge_url, sha256, size: bytes.length, runtime: 'python' as const, timeout: '10s' };
  }

  async function push(): Promise<Pushed> {
    const at = new Date();
    await git('push', '--quiet', 'origin', 'HEAD');
    return { commit: (await git('rev-parse', 'HEAD')).stdout.trim(), at };
  }

  return {
    folder,
    uploadFiles,
    async upload(id, version) {
      const main = await readFile(fileURLToPath(new URL(`${id}/${version}/main.py`, FLOWS)), 'utf8');
      return uploadFiles(id, version, { 'main.py': main });
    },
    async writeManifest(flows) {
      const text = `${JSON.stringify({ manifest_version: 2, flows }, null, 2)}\n`;
      await writeFile(join(folder, 'manifest.json'), text);
    },
    async sign() {
      // Where there is a release before, tenant and seq go on from it.
      const first = await readFile(join(folder, 'release.jws.json')).then(
        () => false,
        () => true,
      );
      const who = first ? ['--tenant', tenant.slug, '--seq', '1'] : [];
      const args = ['release', 'sign', '--manifest', 'manifest.json', ...who];
      await callAgent(program, [...args, '--root', keys.root.file, '--key', keys.releaseKey], {
        cwd: folder,
        signal,
        env,
      });
      return `edge-agent ${args.join(' ')} --root roots/1.root.jws.json --key release.jwk`;
    },
    async commitAndPush(message) {
      await git('add', '--all');
      await git('commit', '--quiet', '--message', message);
      return push();
    },
    async revertAndPush() {
      await git('revert', '--no-edit', 'HEAD');
      return push();
    },
  };
}

/** A person's own configuration of git, such as signing commits, has no part in this. */
const GIT_ENV = { GIT_CONFIG_NOSYSTEM: '1', GIT_CONFIG_GLOBAL: '/dev/null', GIT_TERMINAL_PROMPT: '0' };

/**
 * Everything a `git push` needs lies in the work tree's own configuration, so that it works from any terminal. The empty
 * helper takes away those that the machine's own configuration names.
 */
async function openWorkTree(
  folder: string,
  tenant: AddedTenant,
  git: (...args: string[]) => Promise<unknown>,
) {
  await git('init', '--quiet', `--initial-branch=tenant/${tenant.slug}`);
  const credentials = join(folder, '.git', 'publisher-credentials');
  const login = new URL(tenant.gitUrl);
  login.username = 'publisher';
  login.password = tenant.publisherToken;
  await writeFile(credentials, `${login.protocol}//${login.username}:${login.password}@${login.host}\n`, {
    mode: 0o600,
  });
  const helper = `store --file='${credentials.replaceAll("'", `'\\''`)}'`;
  await appendFile(
    join(folder, '.git', 'config'),
    `[user]
	name = Acme Automation
	email = automation@acme.example
[commit]
	gpgSign = false
[http]
	proxy =
[credential]
	helper =
	helper = ${JSON.stringify(helper)}
[remote "origin"]
	url = ${tenant.gitUrl}
	fetch = +refs/heads/*:refs/remotes/origin/*
[branch "tenant/${tenant.slug}"]
	remote = origin
	merge = refs/heads/tenant/${tenant.slug}
`,
  );
  await appendFile(join(folder, '.git', 'info', 'exclude'), '*.bak\n');
}

async function put(
  url: string,
  bytes: Uint8Array<ArrayBuffer>,
  token: string,
  signal: AbortSignal,
): Promise<void> {
  const response = await fetch(url, {
    method: 'PUT',
    headers: { authorization: `Bearer ${token}`, 'content-type': 'application/gzip' },
    body: bytes,
    signal: AbortSignal.any([signal, AbortSignal.timeout(UPLOAD_TIMEOUT_MS)]),
  });
  if (response.status === 201) return;
  throw new Error(
    `PUT ${url}: expected 201, found ${response.status}: ${(await response.text()).slice(0, 500)}`,
  );
}
