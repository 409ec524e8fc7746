import { execFile } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { ConsoleAdmin } from '../../../console/admin.ts';
import type { PrivateJwk } from '../../../schemas/jws.ts';
import type { CommitInfo } from '../../../schemas/status.ts';
import { serialiseDocument, signDocument } from '../../../trust/ceremony/draft.ts';
import { newKey } from '../../../trust/ceremony/new-key.ts';
import { makeReleaseStatement, signRelease } from '../../../trust/ceremony/release.ts';
import { newRoot } from '../../../trust/ceremony/root-draft.ts';
import { withBasic } from '../../console/running-console.ts';
import { bundleOf } from '../bundles.ts';
import type { CastFlow, CastRelease, CastTenant } from './cast.ts';

const run = promisify(execFile);
const YEAR_MS = 365 * 86_400_000;

/** A flow as a published manifest has it. */
export interface PublishedFlow extends CastFlow {
  readonly version: string;
  readonly sha256: string;
  readonly size: number;
}

/** A release that lies on the tenant branch, signed. */
export interface PublishedRelease {
  readonly seq: number;
  readonly revision: string;
  readonly commit: CommitInfo;
  readonly at: Date;
  readonly expires: string;
  readonly flows: readonly PublishedFlow[];
}

/** A tenant at the console, with the keys and the work tree of whoever releases for it. */
export interface Publisher {
  readonly slug: string;
  readonly triggerKey: PrivateJwk;
  /** Uploads the bundles and commits, as of `at`, on top of what was made before. */
  make(release: CastRelease, at: Date): Promise<PublishedRelease>;
  push(release: PublishedRelease): Promise<void>;
}

export async function addPublisher(
  admin: ConsoleAdmin,
  folder: string,
  tenant: CastTenant,
): Promise<Publisher> {
  const [rootKey, releaseKey, triggerKey] = [newKey(), newKey(), newKey()];
  const root = newRoot({
    expires: new Date(Date.now() + YEAR_MS).toISOString(),
    keys: { root: [rootKey], release: [releaseKey], trigger: [triggerKey] },
  });
  const rootDocument = serialiseDocument(await signDocument(root, rootKey, 'edgeflows-root+jws'));
  const { slug } = tenant;
  const added = await admin.addTenant({ slug, rootDocument });
  const work = join(folder, 'publishers', slug);
  await mkdir(join(work, 'roots'), { recursive: true });
  await writeFile(join(work, 'roots', '1.root.jws.json'), rootDocument);
  const git = async (at: Date, ...args: string[]) => {
    const env = {
      PATH: process.env['PATH'],
      HOME: work,
      GIT_CONFIG_NOSYSTEM: '1',
      GIT_CONFIG_GLOBAL: '/dev/null',
      GIT_TERMINAL_PROMPT: '0',
      GIT_AUTHOR_NAME: tenant.author,
      GIT_AUTHOR_EMAIL: 'releases@example.com',
      GIT_AUTHOR_DATE: at.toISOString(),
      GIT_COMMITTER_NAME: tenant.author,
      GIT_COMMITTER_EMAIL: 'releases@example.com',
      GIT_COMMITTER_DATE: at.toISOString(),
    };
    return (await run('git', args, { cwd: work, env })).stdout;
  };
  const start = new Date(0);
  await git(start, 'init', '-q', '-b', `tenant/${slug}`);
  await git(start, 'remote', 'add', 'origin', withBasic(added.gitUrl, added.publisherToken));
  const uploaded = new Set<string>();

  const bundle = async (flow: CastFlow, version: string) => {
    const entrypoint = flow.runtime === 'ahk' ? 'main.ahk' : 'main.py';
    const { bytes, sha256 } = bundleOf({ [entrypoint]: `# ${flow.id} ${version}\nprint("${flow.id}")\n` });
    const url = `${added.artifactsUrl}${sha256}.tar.gz`;
    if (!uploaded.has(sha256)) {
      const answer = await fetch(url, {
        method: 'PUT',
        headers: { authorization: `Bearer ${added.publisherToken}`, 'content-type': 'application/gzip' },
        body: new Uint8Array(bytes),
      });
      if (!answer.ok)
        throw new Error(`PUT ${url}: expected 2xx, found ${answer.status}: ${await answer.text()}`);
      uploaded.add(sha256);
    }
    return { url, sha256, size: bytes.length };
  };

  return {
    slug,
    triggerKey,
    async make(release, at) {
      const flows: PublishedFlow[] = [];
      const described: object[] = [];
      for (const [id, version] of Object.entries(release.versions)) {
        const flow = tenant.flows.find((each) => each.id === id) as CastFlow;
        const { url, sha256, size } = await bundle(flow, version);
        flows.push({ ...flow, version, sha256, size });
        described.push({
          id,
          version,
          edge_url: url,
          sha256,
          size,
          runtime: flow.runtime,
          ...(flow.schedule === null ? {} : { schedule: flow.schedule }),
          ...(flow.runtime === 'service' ? { service: { port_env: 'PORT', ready: '/health' } } : {}),
          ...(flow.runtime === 'ahk' ? { entrypoint: 'main.ahk' } : {}),
        });
      }
      const manifest = JSON.stringify({ manifest_version: 2, flows: described }, null, 2);
      const expires = new Date(at.getTime() + 90 * 86_400_000).toISOString();
      const statement = makeReleaseStatement({
        tenant: slug,
        seq: release.seq,
        issued: at.toISOString(),
        expires,
        root_version: 1,
        manifestBytes: Buffer.from(manifest),
      });
      await writeFile(join(work, 'manifest.json'), manifest);
      await writeFile(
        join(work, 'release.jws.json'),
        serialiseDocument(await signRelease(statement, [releaseKey])),
      );
      await git(at, 'add', '.');
      await git(at, 'commit', '-q', '-m', release.subject);
      const id = (await git(at, 'rev-parse', 'HEAD')).trim();
      const commit = { subject: release.subject, author: tenant.author, time: at.toISOString() };
      return { seq: release.seq, revision: `tenant/${slug}@sha1:${id}`, commit, at, expires, flows };
    },
    async push({ revision, at }) {
      await git(at, 'push', '-q', 'origin', `${revision.split(':')[1]}:refs/heads/tenant/${slug}`);
    },
  };
}
