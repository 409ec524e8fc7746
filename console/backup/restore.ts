import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { runGit } from '../git-command.ts';
import { createGitRepositories } from '../git-repositories.ts';
import { databaseFile } from '../store/open-store.ts';
import { TenantFault } from '../tenants.ts';
import { BackupFile, BackupIndex, BUNDLES, DATABASE, FILES, FOLDERS, INDEX, KEY } from './backup-index.ts';
import { readTar } from './tar-file.ts';

const DRAFT = '.restoring';
const GIT_ANSWER_BYTES = 1024 * 1024;
const NAME = /^(?!\.{1,2}$)[^/\\\0:]{1,255}$/;

/**
 * Makes the data of a console of a backup, in a folder that is absent or empty. Everything is read, checked against its digest
 * and the database's counts, and only then put in place, the database last: what was broken off is no console. Throws
 * `TenantFault` for a folder that is in use and for a file that is no whole backup.
 */
export async function restore(file: string, data: string, signal: AbortSignal): Promise<BackupIndex> {
  const folder = resolve(data);
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const there = await readdir(folder);
  if (there.length > 0) {
    throw new TenantFault(
      `expected an empty folder to restore into, found ${there.length} names in ${folder}, such as ${there[0]}`,
    );
  }
  const draft = join(folder, DRAFT);
  await mkdir(draft, { mode: 0o700 });
  try {
    const index = await unpack(file, draft, signal);
    if (index.schema_version > databaseFile.version) {
      throw new TenantFault(
        `expected a backup of schema version ${databaseFile.version} or older, found ${index.schema_version}: restore it with the console that made it (${index.console_version}) or a newer one`,
      );
    }
    await expectCounts(file, join(draft, DATABASE), index);
    await unbundle(draft, signal);
    for (const name of [BUNDLES, ...FOLDERS, KEY, DATABASE]) {
      if (existsSync(join(draft, name))) await rename(join(draft, name), join(folder, name));
    }
    await rm(draft, { recursive: true });
    return index;
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

async function unpack(file: string, draft: string, signal: AbortSignal): Promise<BackupIndex> {
  const found = new Map<string, string>();
  const texts = new Map<string, string>();
  try {
    for await (const { path, content } of readTar(file, signal)) {
      if (!isOurs(path))
        throw new TenantFault(
          `expected the files of a console in ${file}, found ${JSON.stringify(path.slice(0, 80))}`,
        );
      if (path === INDEX || path === FILES) {
        texts.set(path, await textOf(content));
        continue;
      }
      const target = join(draft, path);
      await mkdir(dirname(target), { recursive: true, mode: 0o700 });
      const hash = createHash('sha256');
      await using handle = await open(target, 'wx', 0o600);
      for await (const chunk of content) {
        hash.update(chunk);
        await handle.writeFile(chunk);
      }
      await handle.sync();
      found.set(path, hash.digest('hex'));
    }
  } catch (error) {
    if (
      signal.aborted ||
      error instanceof TenantFault ||
      (error as NodeJS.ErrnoException).syscall === 'write'
    )
      throw error;
    throw new TenantFault(`${file}: ${(error as Error).message}`);
  }
  const index = BackupIndex.safeParse(jsonOf(texts.get(INDEX)));
  const lines = (texts.get(FILES) ?? '').split('\n').filter((line) => line !== '');
  const said = z.array(BackupFile).safeParse(lines.map(jsonOf));
  if (!index.success || !said.success) {
    throw new TenantFault(
      `expected a backup of a console in ${file}, found none that is whole (${INDEX} is missing or of another form)`,
    );
  }
  const wrong = said.data.find(({ path, sha256 }) => found.get(path) !== sha256);
  if (wrong !== undefined || said.data.length !== index.data.files || found.size !== index.data.files) {
    throw new TenantFault(
      `expected ${file} to be as it was written, found ${wrong?.path ?? 'other files'} changed; take another backup`,
    );
  }
  return index.data;
}

/** Names that a backup has, and none that could mean another place. */
function isOurs(path: string): boolean {
  if ([KEY, DATABASE, FILES, INDEX].includes(path)) return true;
  const [folder = '', ...names] = path.split('/');
  const known = folder === BUNDLES || FOLDERS.some((each) => each === folder);
  return known && names.length > 0 && names.every((name) => NAME.test(name));
}

async function expectCounts(file: string, database: string, index: BackupIndex): Promise<void> {
  const { counts } = await databaseFile.facts(database);
  const wrong = Object.entries(index.counts).find(([table, rows]) => counts[table] !== rows);
  if (wrong === undefined) return;
  const [table, rows] = wrong;
  throw new TenantFault(
    `expected ${rows} rows of ${table} in ${file}, found ${counts[table] ?? 'no such table'}`,
  );
}

async function unbundle(draft: string, signal: AbortSignal): Promise<void> {
  const root = join(draft, BUNDLES);
  const repositories = createGitRepositories(root);
  const names = existsSync(root) ? await readdir(root) : [];
  for (const name of names) {
    const slug = name.replace(/\.git\.bundle$/, '');
    await repositories.create(slug, signal);
    const args = [`--git-dir=${repositories.directory(slug)}`, '-c', 'transfer.fsckObjects=true'];
    const bundle = join(root, name);
    const done = await runGit([...args, 'fetch', '--quiet', '--no-tags', bundle, '+refs/*:refs/*'], {
      signal,
      maxBytes: GIT_ANSWER_BYTES,
    });
    if (done.code !== 0)
      throw new TenantFault(`expected the commits of ${slug} in the backup, found: ${done.stderr}`);
    await rm(bundle);
  }
}

async function textOf(content: AsyncIterable<Buffer>): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}

function jsonOf(text: string | undefined): unknown {
  try {
    return JSON.parse(text ?? '');
  } catch {
    return null;
  }
}
