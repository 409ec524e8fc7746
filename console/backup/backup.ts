import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, open, readdir, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { runGit } from '../git-command.ts';
import { databaseFile } from '../store/open-store.ts';
import { TenantFault } from '../tenants.ts';
import { consoleVersion } from '../version.ts';
import {
  type BackupFile,
  type BackupIndex,
  BUNDLES,
  DATABASE,
  FILES,
  FOLDERS,
  INDEX,
  KEY,
} from './backup-index.ts';
import { createTar, readTar, type TarWriter } from './tar-file.ts';

const GIT_ANSWER_BYTES = 1024 * 1024;

export interface Backup extends BackupIndex {
  /** Absolute. */
  readonly file: string;
}

/**
 * Writes everything a console keeps into one new file (0600), whether a console runs on the data or not, and reads it again
 * before it has its name. The database is of one moment, and first: what it speaks of is in the folders then, and what came after
 * is there beside it. Throws `TenantFault` when there is such a file.
 */
export async function backUp(data: string, to: string, at: Date, signal: AbortSignal): Promise<Backup> {
  const file = resolve(to);
  if (existsSync(file))
    throw new TenantFault(`expected a name that is free for the backup, found a file: ${file}`);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  const parts = await mkdtemp(join(dirname(file), '.backup-'));
  const draft = join(parts, 'backup.tar');
  try {
    const database = join(parts, DATABASE);
    await databaseFile.copy(join(data, DATABASE), database);
    const facts = await databaseFile.facts(database);
    const tar = await createTar(draft, at, signal);
    let index: BackupIndex;
    try {
      // Closed before it is read; a full disk is said to whoever waits for the write.
      const lines = await open(join(parts, FILES), 'wx', 0o600);
      let files = 0;
      let bytes = 0;
      const add = async (path: string, source: string) => {
        const added = await tar.add(path, source);
        if (added === null) return;
        files += 1;
        bytes += added.size;
        await lines.writeFile(`${JSON.stringify(added satisfies BackupFile)}\n`);
      };
      try {
        await add(KEY, join(data, KEY));
        for await (const [path, source] of bundlesOf(join(data, BUNDLES), parts, signal))
          await add(path, source);
        for (const folder of FOLDERS) {
          for await (const path of filesBelow(data, folder)) await add(path, join(data, path));
        }
        await add(DATABASE, database);
      } finally {
        await lines.close();
      }
      index = {
        format: 1,
        made_at: at.toISOString(),
        console_version: consoleVersion(),
        schema_version: facts.version,
        public_url: facts.publicUrl,
        counts: facts.counts,
        files,
        bytes,
      };
      await finish(tar, parts, index);
    } finally {
      await tar.close();
    }
    await expectReadable(draft, index, signal);
    await rename(draft, file);
    await syncFolder(dirname(file));
    return { ...index, file };
  } finally {
    await rm(parts, { recursive: true, force: true });
  }
}

async function finish(tar: TarWriter, parts: string, index: BackupIndex): Promise<void> {
  await tar.add(FILES, join(parts, FILES));
  await writeFile(join(parts, INDEX), JSON.stringify(index, null, 2), { mode: 0o600 });
  await tar.add(INDEX, join(parts, INDEX));
  await tar.finish();
}

/** Bundles are whole and of one moment each, however much is pushed meanwhile. A repository without a commit has none. */
async function* bundlesOf(
  root: string,
  parts: string,
  signal: AbortSignal,
): AsyncGenerator<[string, string]> {
  for (const name of await namesIn(root)) {
    if (!/^[a-z0-9][a-z0-9-]*\.git$/.test(name)) continue;
    const git = `--git-dir=${join(root, name)}`;
    const refs = await runGit([git, 'for-each-ref', '--count=1'], { signal, maxBytes: GIT_ANSWER_BYTES });
    if (refs.code === 0 && refs.stdout.length === 0) continue;
    const bundle = join(parts, `${name}.bundle`);
    const made = await runGit([git, 'bundle', 'create', '--quiet', bundle, '--all'], {
      signal,
      maxBytes: GIT_ANSWER_BYTES,
    });
    if (made.code !== 0) throw new Error(`expected git to bundle ${name}, found: ${made.stderr}`);
    yield [`${BUNDLES}/${name}.bundle`, bundle];
    await rm(bundle);
  }
}

/** Those being written have a name with a dot before it. Links are not followed: nothing of ours makes one. */
async function* filesBelow(data: string, folder: string): AsyncGenerator<string> {
  for (const entry of await entriesIn(join(data, folder))) {
    const path = `${folder}/${entry.name}`;
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory()) yield* filesBelow(data, path);
    else if (entry.isFile()) yield path;
  }
}

/** Every byte again, from the disk: what was written is what was read. */
async function expectReadable(file: string, index: BackupIndex, signal: AbortSignal): Promise<void> {
  const found = new Map<string, string>();
  let said: BackupFile[] = [];
  for await (const { path, content } of readTar(file, signal)) {
    const hash = createHash('sha256');
    const kept: Buffer[] = [];
    for await (const chunk of content) {
      hash.update(chunk);
      if (path === FILES) kept.push(chunk);
    }
    if (path === FILES) said = linesOf(Buffer.concat(kept));
    else found.set(path, hash.digest('hex'));
  }
  const wrong = said.find(({ path, sha256 }) => found.get(path) !== sha256);
  if (wrong === undefined && said.length === index.files && found.has(INDEX)) return;
  throw new Error(
    `expected to read the backup as it was written, found ${wrong?.path ?? 'files missing'} otherwise; is the disk sound?`,
  );
}

function linesOf(bytes: Buffer): BackupFile[] {
  return bytes
    .toString('utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as BackupFile);
}

async function entriesIn(folder: string) {
  try {
    return await readdir(folder, { withFileTypes: true });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}

async function namesIn(folder: string): Promise<string[]> {
  return (await entriesIn(folder)).filter((entry) => entry.isDirectory()).map(({ name }) => name);
}

/** A name is on the disk when its folder is. Windows cannot do this, and need not. */
async function syncFolder(folder: string): Promise<void> {
  if (process.platform === 'win32') return;
  await using handle = await open(folder, 'r');
  await handle.sync();
}
