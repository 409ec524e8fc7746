import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ARCHIVE_RULES } from '../../store/archive/archive-rules.ts';
import { type Bundle, bundleFrom } from '../support/bundles.ts';
import { plantCanaries, snapshotOf } from '../support/canary-tree.ts';
import { hostileArchive } from '../support/hostile-archives.ts';
import { createWorld, flowV2, helloBundle, manifestV1, v2, type World } from '../support/world.ts';

// A guard against hanging on a busy machine; seconds are enough on a quiet one.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

const posix = process.platform !== 'win32';
const evil = bundleFrom([{ name: 'main.py', content: 'print("evil")' }]);

/** Everything around the agent's own folders. */
const around = (world: World) => snapshotOf(world.folder).filter((line) => !line.startsWith('EdgeFlows/'));
const events = (world: World) =>
  readFileSync(join(world.cache, '.agent', 'events.jsonl'), 'utf8')
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { reason: string; because?: string; flow?: string });
const output = async (world: World, flow = 'default') =>
  (await world.json<{ stdout: string }>('trigger', flow, '--wait')).document.stdout;

describe('a signed release of hostile bundles', () => {
  /** One of each kind, bombs and slips that were published among them. */
  const cases = [
    'zip-slip.tar',
    'zip-slip-win.tar',
    'dirsymlink2b',
    'a hard link to an absolute path',
    'a sparse file of 10 GB in the pax form 1.0',
    'a member hidden in another by a pax size of 0',
    'an archive cut in the content',
    'a second archive behind the first',
    'a file below the name of the mark',
    '10 GB of zeros in gzip',
    '10 GB of zeros in zstd',
    'zeros behind the end, without end',
    'a gzip bomb, and room for it',
    'megabytes of zeros behind a large gzip',
    'a zip archive',
  ].map((name, at) => ({ id: `flow-${at}`, ...hostileArchive(name) }));
  let world: World;
  beforeAll(async () => {
    world = await createWorld();
    plantCanaries(world.folder);
    world.writeConfig({
      edge_cache_dir: world.cache,
      artifacts: { allow: [`${world.artifacts.origin}/edge-artifacts`], max_unpacked_bytes: '9GiB' },
    });
  });
  afterAll(() => world[Symbol.asyncDispose]());

  it('is refused flow by flow, by name, and what runs goes on; the next good one is taken', async () => {
    const good = flowV2(world, 'good', 'v1', helloBundle('good'));
    await world.release(v2(good));
    expect((await world.reconcile()).code).toBe(0);
    const before = around(world);

    const flows = cases.map(({ id, bundle }) => flowV2(world, id, 'v1', bundle()));
    await world.release(v2(good, ...flows));
    const refused = await world.reconcile();
    expect(refused.code).toBe(4);
    expect(refused.stderr).not.toContain('bug');
    const told = events(world).filter(({ reason }) => reason === 'ArchiveRefused');
    expect(Object.fromEntries(told.map(({ flow, because }) => [flow, because]))).toEqual(
      Object.fromEntries(cases.map(({ id, rule }) => [id, rule])),
    );
    for (const { id, rule } of cases) {
      const flow = refused.document.flows.find((one) => one.id === id);
      expect(flow).toMatchObject({ active_version: null, phase: 'stalled' });
      expect(['archive_refused', 'caps_exceeded']).toContain(ARCHIVE_RULES[rule]);
    }
    // Nothing beside the downloads: no folder of a version, nothing on its way, nothing around.
    expect(Object.keys(world.current().flows)).toEqual(['good']);
    expect(readdirSync(world.path('flows'))).toEqual(['good']);
    expect(readdirSync(join(world.cache, '.agent', 'staging', 'unpacking'))).toEqual([]);
    expect(readdirSync(join(world.cache, '.agent', 'trash'))).toEqual([]);
    expect(around(world).filter((line) => !line.startsWith('credentials/'))).toEqual(
      before.filter((line) => !line.startsWith('credentials/')),
    );
    expect(await output(world, 'good')).toBe('good v1\n');

    await world.release(v2(flowV2(world, 'good', 'v2', helloBundle('better'))));
    expect((await world.reconcile()).code).toBe(0);
    expect(await output(world, 'good')).toBe('better v2\n');
  });
});

describe.runIf(posix)('what somebody planted where a bundle or a version comes to lie', () => {
  let world: World;
  const good = helloBundle('good');
  const staged = (name: string) => join(world.cache, '.agent', 'staging', name);
  beforeAll(async () => {
    world = await createWorld();
    plantCanaries(world.folder);
    await world.release(manifestV1(world, 'first.tar.gz', helloBundle('first')), { version: 'v1' });
    await world.reconcile();
  });
  afterAll(() => world[Symbol.asyncDispose]());
  const canaries = () => around(world).filter((line) => !line.startsWith('credentials/'));

  it.each<[string, string, (bundle: Bundle) => void]>([
    [
      'v2',
      'another bundle under its digest',
      ({ sha256 }) => writeFileSync(staged(`${sha256}.bundle`), evil.bytes),
    ],
    [
      'v3',
      'links to files of others, in the place of the download',
      ({ sha256 }) => {
        symlinkSync(join(world.folder, 'secret.txt'), staged(`${sha256}.bundle`));
        symlinkSync(join(world.folder, 'evil'), staged(`${sha256}.part`));
        writeFileSync(staged(`${sha256}.part.json`), '{"format":1,"validator":"\\"x\\""}');
      },
    ],
    [
      'v4',
      'folders and pipes in the place of the download',
      ({ sha256 }) => {
        mkdirSync(staged(`${sha256}.bundle`));
        execFileSync('mkfifo', [staged(`${sha256}.part`)]);
      },
    ],
    [
      'v5',
      'a version that says it is complete, with other files',
      ({ sha256 }) => {
        const active = world.current().flows['default']?.path ?? '';
        const mark = JSON.parse(readFileSync(world.path(active, '.complete'), 'utf8')) as object;
        mkdirSync(world.path('v5'));
        writeFileSync(world.path('v5', 'main.py'), 'print("evil")');
        writeFileSync(world.path('v5', '.complete'), JSON.stringify({ ...mark, sha256 }));
      },
    ],
    [
      'v6',
      'a link in the place of the version',
      () => symlinkSync(join(world.folder, 'outside'), world.path('v6')),
    ],
    [
      'v7',
      'a pipe as the mark of the version',
      () => {
        mkdirSync(world.path('v7'));
        execFileSync('mkfifo', [world.path('v7', '.complete')]);
      },
    ],
  ])('%s: never becomes active: %s', async (version, _what, plant) => {
    const bundle = helloBundle(`good ${version}`);
    const before = canaries();
    plant(bundle);
    await world.release(manifestV1(world, `${version}.tar.gz`, bundle), { version });
    const seen: number[] = [];
    // What was altered is let go and fetched again at the next try.
    do seen.push((await world.reconcile()).code);
    while (seen.at(-1) === 5 && seen.length < 3);
    expect(seen.at(-1)).toBe(0);
    expect(await output(world)).toBe(`good ${version} ${version}\n`);
    expect(canaries()).toEqual(before);
  });

  it('is a version that was changed while another was active: it is unpacked again', async () => {
    const main = world.path('v6', 'main.py');
    chmodSync(main, 0o644);
    writeFileSync(main, 'print("evil")');
    await world.release(manifestV1(world, 'v6.tar.gz', helloBundle('good v6')), { version: 'v6' });
    expect((await world.reconcile()).code).toBe(0);
    expect(await output(world)).toBe('good v6 v6\n');
  });

  it.each(['staging/unpacking', 'staging', 'trash'])(
    'is a link in the place of %s: a person is asked, and nothing is written through it',
    async (place) => {
      const folder = join(world.cache, '.agent', place);
      rmSync(folder, { recursive: true });
      symlinkSync(join(world.folder, 'outside'), folder);
      const before = canaries();
      await world.release(manifestV1(world, 'later.tar.gz', good), { version: `later-${place.length}` });
      const refused = await world.reconcile();
      expect({ code: refused.code, error: refused.document.error?.code }).toEqual({
        code: 4,
        error: 'state_unusable',
      });
      expect(canaries()).toEqual(before);
      rmSync(folder);
      expect((await world.reconcile()).code).toBe(0);
      expect(existsSync(folder)).toBe(true);
    },
  );
});
