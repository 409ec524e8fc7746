import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { PointerChange, StateDocuments, VersionStore } from '../../reconciler/ports.ts';
import { Current, EMPTY_CURRENT } from '../../schemas/current.ts';
import { createManualClock, type ManualClock } from '../../system/clock.ts';
import { type Bundle, bundleFrom, bundleOf } from '../support/bundles.ts';

/** A tenant's store on real disk, and where things lie. */
export interface StoreUnderTest {
  readonly store: VersionStore;
  /** `<edge_cache_dir>/<slug>` */
  readonly tenant: string;
  /** `<edge_cache_dir>/.agent` */
  readonly state: string;
  readonly documents: StateDocuments;
  /** The same disk and state, as after a restart. */
  reopen(): Promise<VersionStore>;
  dispose(): Promise<void>;
}

const DAY_MS = 24 * 60 * 60 * 1000;
const CAPS = { maxBytes: 1_000_000, maxFiles: 1_000 };
const REVISION = `tenant/acme@sha1:${'a'.repeat(40)}`;
const LATER = `tenant/acme@sha1:${'b'.repeat(40)}`;
const KEYS = 'c'.repeat(64);
const posix = process.platform !== 'win32';
const never = new AbortController().signal;

/** What every `VersionStore` must do: the contract's section 4 and the crash protocol. */
export function describeVersionStore(
  name: string,
  create: (clock: ManualClock) => Promise<StoreUnderTest>,
): void {
  describe(`${name} as a version store`, () => {
    let clock: ManualClock;
    let under: StoreUnderTest;
    let store: VersionStore;
    beforeEach(async () => {
      clock = createManualClock(new Date());
      under = await create(clock);
      store = under.store;
      await store.recover(clock.now());
    });
    afterEach(() => under.dispose());

    async function download(bundle: Bundle): Promise<void> {
      const part = await store.openDownload(bundle.sha256);
      await part.restart(null);
      await part.write(bundle.bytes);
      expect(await part.finish()).toEqual({ kind: 'verified', bytes: bundle.bytes.length });
    }
    const unpack = (bundle: Bundle, path: string, signal = never) => {
      const [version = '', flow = null] = path.split('/').reverse();
      return store.unpack({ sha256: bundle.sha256, path, flow, version }, CAPS, signal);
    };
    async function install(path: string, bundle = bundleOf({ 'main.py': path })): Promise<Bundle> {
      await download(bundle);
      expect(await unpack(bundle, path)).toMatchObject({ kind: 'unpacked' });
      return bundle;
    }
    const to = (
      path: string,
      bundle: Bundle,
      revision = REVISION,
      held: { by: string; why: string } | null = null,
    ) => ({
      version: path.split('/').at(-1) ?? '',
      sha256: bundle.sha256,
      path,
      revision,
      held,
    });
    const point = (flow: string, path: string, bundle: Bundle, revision = REVISION) =>
      store.point([{ flow, to: to(path, bundle, revision) }], null);
    const onDisk = () => Current.parse(JSON.parse(readFileSync(join(under.tenant, 'current.json'), 'utf8')));
    const staged = () => readdirSync(join(under.state, 'staging')).filter((entry) => entry !== 'unpacking');

    describe('downloads', () => {
      const bundle = bundleOf({ 'main.py': 'print(1)' });

      it('keeps a bundle whose digest matches', async () => {
        expect(await store.hasBundle(bundle.sha256)).toBe(false);
        await download(bundle);
        expect(await store.hasBundle(bundle.sha256)).toBe(true);
        expect(staged()).toHaveLength(1);
      });

      it('removes one whose digest does not match and says what it found', async () => {
        const other = bundleOf({ 'main.py': 'print(2)' });
        const part = await store.openDownload(bundle.sha256);
        await part.restart('"etag"');
        await part.write(other.bytes);
        expect(await part.finish()).toEqual({
          kind: 'mismatch',
          found: other.sha256,
          bytes: other.bytes.length,
        });
        expect(await store.hasBundle(bundle.sha256)).toBe(false);
        expect(staged()).toEqual([]);
      });

      it('resumes after what is there, with the validator it came with, across a restart', async () => {
        const part = await store.openDownload(bundle.sha256);
        expect([part.offset, part.validator]).toEqual([0, null]);
        await part.restart('"v1"');
        await part.write(bundle.bytes.subarray(0, 40));
        await part.keep();
        store = await under.reopen();
        const rest = await store.openDownload(bundle.sha256);
        expect([rest.offset, rest.validator]).toEqual([40, '"v1"']);
        await rest.write(bundle.bytes.subarray(40));
        expect(await rest.finish()).toEqual({ kind: 'verified', bytes: bundle.bytes.length });
      });

      it('forgets what is there when the source has another', async () => {
        const part = await store.openDownload(bundle.sha256);
        await part.restart('"v1"');
        await part.write(Buffer.alloc(5_000, 1));
        await part.keep();
        const again = await store.openDownload(bundle.sha256);
        expect(again.offset).toBe(5_000);
        await again.restart('"v2"');
        expect([again.offset, again.validator]).toEqual([0, '"v2"']);
        await again.write(bundle.bytes);
        expect((await again.finish()).kind).toBe('verified');
      });

      it('does not resume what came without a validator, nor what is a day old', async () => {
        const part = await store.openDownload(bundle.sha256);
        await part.restart(null);
        await part.write(bundle.bytes.subarray(0, 40));
        await part.keep();
        expect(staged()).toEqual([]);
        const old = await store.openDownload(bundle.sha256);
        await old.restart('"v1"');
        await old.write(bundle.bytes.subarray(0, 40));
        await old.keep();
        await clock.advance(DAY_MS + 1);
        const late = await store.openDownload(bundle.sha256);
        expect([late.offset, late.validator]).toEqual([0, null]);
        await late.keep();
      });

      it('hashes large downloads whole, and what they resumed from', async () => {
        const large = Buffer.alloc(3_000_000, 'large');
        const { createHash } = await import('node:crypto');
        const sha256 = createHash('sha256').update(large).digest('hex');
        const part = await store.openDownload(sha256);
        await part.restart('"x"');
        for (let at = 0; at < 1_400_000; at += 70_000) await part.write(large.subarray(at, at + 70_000));
        await part.keep();
        const rest = await store.openDownload(sha256);
        expect(rest.offset).toBe(1_400_000);
        await rest.write(large.subarray(1_400_000));
        expect(await rest.finish()).toEqual({ kind: 'verified', bytes: large.length });
      });

      it('lets one at a time download a digest', async () => {
        const first = await store.openDownload(bundle.sha256);
        let second: Awaited<ReturnType<typeof store.openDownload>> | null = null;
        const waiting = store.openDownload(bundle.sha256).then((part) => (second = part));
        await first.restart(null);
        await first.write(bundle.bytes);
        expect(second).toBeNull();
        await first.finish();
        await (await waiting).keep();
        expect(await store.hasBundle(bundle.sha256)).toBe(true);
      });

      it('says at once when a bundle cannot fit', async () => {
        await expect(store.openDownload(bundle.sha256, 2 ** 52)).rejects.toMatchObject({
          name: 'DiskFullError',
          code: 'ENOSPC',
        });
        const fits = await store.openDownload(bundle.sha256, 10);
        expect(fits.offset).toBe(0);
        await fits.keep();
      });
    });

    describe('versions', () => {
      it('unpacks to both layouts, marks them complete and lists them', async () => {
        const bundle = await install('v1.0.7', bundleOf({ 'main.py': 'x', 'lib/a.py': 'yy' }));
        await install('flows/login/v2');
        expect(await store.versions()).toMatchObject([
          { path: 'flows/login/v2', flow: 'login', version: 'v2', files: 1 },
          { path: 'v1.0.7', flow: null, version: 'v1.0.7', sha256: bundle.sha256, files: 2, bytes: 3 },
        ]);
        expect(JSON.parse(readFileSync(join(under.tenant, 'v1.0.7', '.complete'), 'utf8'))).toEqual({
          format: 1,
          sha256: bundle.sha256,
          tree_sha256: expect.stringMatching(/^[0-9a-f]{64}$/),
          files: 2,
          bytes: 3,
          unpacked_at: clock.now().toISOString(),
        });
        expect(await store.rootFiles('v1.0.7')).toEqual(['main.py']);
        expect(await store.hasFile('v1.0.7', 'lib/a.py')).toBe(true);
        for (const path of ['lib', 'lib/b.py', '../current.json', '/etc/passwd', 'lib//a.py']) {
          expect(await store.hasFile('v1.0.7', path)).toBe(false);
        }
        expect(store.absolute('flows/login/v2')).toBe(join(under.tenant, 'flows', 'login', 'v2'));
        expect(await store.record('v1.0.8')).toBeNull();
        expect(await store.record('v1.0.7')).toMatchObject({ sha256: bundle.sha256 });
      });

      it.runIf(posix)('makes them read-only, and readable for the account that runs flows', async () => {
        await install('v1', bundleOf({ 'lib/run.sh': 'x', 'lib/a.py': '' }, { executable: ['lib/run.sh'] }));
        const mode = (path: string) => statSync(join(under.tenant, path)).mode & 0o7777;
        expect(['v1', 'v1/lib', 'v1/lib/run.sh', 'v1/lib/a.py', 'v1/.complete'].map(mode)).toEqual([
          0o555, 0o555, 0o555, 0o444, 0o444,
        ]);
        expect(mode('.')).toBe(0o755);
        expect(statSync(join(under.state, 'staging')).mode & 0o777).toBe(0o700);
      });

      it('refuses a hostile archive and one above the caps, and leaves nothing', async () => {
        const hostile = bundleFrom([{ name: '../x' }]);
        await download(hostile);
        expect(await unpack(hostile, 'v1')).toMatchObject({ kind: 'stalled', code: 'archive_refused' });
        const large = bundleOf({ a: Buffer.alloc(CAPS.maxBytes + 1) });
        await download(large);
        expect(await unpack(large, 'v2')).toMatchObject({ kind: 'stalled', code: 'caps_exceeded' });
        expect(await store.versions()).toEqual([]);
        expect(readdirSync(join(under.state, 'staging', 'unpacking'))).toEqual([]);
        expect(existsSync(join(under.state, 'x'))).toBe(false);
      });

      it('throws away a kept download that changed on disk, to be fetched again', async () => {
        const bundle = bundleOf({ 'main.py': 'x' });
        await download(bundle);
        const [kept = ''] = staged();
        writeFileSync(join(under.state, 'staging', kept), bundleOf({ 'main.py': 'y' }).bytes);
        expect(await unpack(bundle, 'v1')).toMatchObject({
          kind: 'retry',
          message: expect.stringMatching(/fetched again/),
        });
        expect(await store.hasBundle(bundle.sha256)).toBe(false);
        expect(await store.versions()).toEqual([]);
      });

      it('copies a version of the same digest when the download is gone, if it is intact', async () => {
        const bundle = await install(
          'v1',
          bundleOf({ 'main.py': 'x', 'lib/run.sh': 'y' }, { executable: ['lib/run.sh'] }),
        );
        await store.sweep(new Date(clock.now().getTime() + 2 * DAY_MS), new Set(), false);
        expect(await store.hasBundle(bundle.sha256)).toBe(false);
        expect(await unpack(bundle, 'flows/a/v1')).toMatchObject({
          kind: 'unpacked',
          record: { sha256: bundle.sha256 },
        });
        expect(await store.check('flows/a/v1', 'deep', never)).toEqual({ kind: 'intact' });
        for (const path of ['v1', 'flows/a/v1']) spoil(join(under.tenant, path, 'main.py'));
        expect(await unpack(bundle, 'v3')).toMatchObject({
          kind: 'retry',
          message: expect.stringMatching(/neither/),
        });
        expect(await store.record('v3')).toBeNull();
      });

      it('replaces what lies in the place, complete or not', async () => {
        const bundle = await install('v1');
        spoil(join(under.tenant, 'v1', 'main.py'));
        expect(await unpack(bundle, 'v1')).toMatchObject({ kind: 'unpacked' });
        expect(await store.check('v1', 'deep', never)).toEqual({ kind: 'intact' });
        writeFileSync(join(under.tenant, 'v2'), 'a file');
        expect(await unpack(bundle, 'v2')).toMatchObject({ kind: 'unpacked' });
        expect(readdirSync(join(under.state, 'trash'))).toEqual([]);
      });

      it('stops when it is aborted and leaves nothing', async () => {
        const bundle = bundleOf({ 'main.py': 'x' });
        await download(bundle);
        await expect(unpack(bundle, 'v1', AbortSignal.abort(new Error('preempted')))).rejects.toThrow(
          'preempted',
        );
        expect(await store.versions()).toEqual([]);
        expect(await unpack(bundle, 'v1')).toMatchObject({ kind: 'unpacked' });
      });

      it('makes many at once', async () => {
        const bundles = Array.from({ length: 20 }, (_, n) => bundleOf({ 'main.py': `${n}` }));
        const results = await Promise.all(
          bundles.map(async (bundle, n) => {
            await download(bundle);
            return unpack(bundle, `flows/flow-${n}/v1`);
          }),
        );
        expect(results.every(({ kind }) => kind === 'unpacked')).toBe(true);
        expect(await store.versions()).toHaveLength(20);
      });

      it.each([
        '../v1',
        'flows',
        'current.json',
        'FLOWS',
        'flows/login',
        'flows/Login/v1',
        'v1/x',
        '.agent',
        'con',
        'a.',
        '',
      ])('takes %j for no version’s place', async (path) => {
        const bundle = bundleOf({ a: 'x' });
        await download(bundle);
        await expect(unpack(bundle, path)).rejects.toThrow(/path/);
        expect(() => store.absolute(path)).toThrow(/expected <version>/);
      });
    });

    describe('the pointer', () => {
      it('is empty before anything was active', () => {
        expect(store.current()).toEqual(EMPTY_CURRENT);
      });

      it('names what is active and what was before, in the file and after a restart', async () => {
        const one = await install('v1');
        const two = await install('v2');
        await point('default', 'v1', one);
        const first = clock.now().toISOString();
        await clock.advance(1_000);
        await point('default', 'v2', two, LATER);
        await store.markApplied(LATER, { keys: KEYS, value: 7 });
        const expected = {
          format: 1,
          seq: { keys: KEYS, value: 7 },
          revision: LATER,
          flows: {
            default: {
              version: 'v2',
              sha256: two.sha256,
              path: 'v2',
              revision: LATER,
              activated_at: clock.now().toISOString(),
              previous: { version: 'v1', sha256: one.sha256, path: 'v1' },
              held: null,
            },
          },
        };
        expect(first).not.toBe(clock.now().toISOString());
        expect(onDisk()).toEqual(expected);
        store = await under.reopen();
        expect(store.current()).toEqual(expected);
      });

      it('keeps previous and the time when the same version comes with a newer revision', async () => {
        const one = await install('v1');
        const two = await install('v2');
        await point('default', 'v1', one);
        await point('default', 'v2', two);
        const before = store.current().flows['default'];
        await clock.advance(5_000);
        await point('default', 'v2', two, LATER);
        expect(store.current().flows['default']).toEqual({ ...before, revision: LATER });
      });

      it('deactivates, holds and rolls back', async () => {
        const one = await install('v1');
        const two = await install('v2');
        await point('default', 'v1', one);
        await point('default', 'v2', two);
        const held = { by: 'ops', why: 'v2 prints nothing' };
        await store.point([{ flow: 'default', to: to('v1', one, REVISION, held) }], null);
        expect(onDisk().flows['default']).toMatchObject({ version: 'v1', held, previous: { version: 'v2' } });
        await store.setHeld('default', null);
        expect(onDisk().flows['default']?.held).toBeNull();
        await expect(store.setHeld('other', held)).rejects.toThrow(/other/);
        await store.point([{ flow: 'default', to: null }], null);
        expect(onDisk().flows).toEqual({});
      });

      it('never lets seq fall within a key set, nor forgets it', async () => {
        await store.markApplied(REVISION, { keys: KEYS, value: 9 });
        await store.markApplied(REVISION, { keys: KEYS, value: 4 });
        expect(onDisk().seq).toEqual({ keys: KEYS, value: 9 });
        await store.point([], null);
        expect(onDisk().seq).toEqual({ keys: KEYS, value: 9 });
        await store.markApplied(REVISION, { keys: 'd'.repeat(64), value: 1 });
        expect(onDisk().seq).toEqual({ keys: 'd'.repeat(64), value: 1 });
      });

      it('writes changes that come together together, every one of them', async () => {
        const bundle = await install('v1');
        const seen: number[] = [];
        const changes = Array.from(
          { length: 50 },
          (_, n): PointerChange => ({ flow: `flow-${n}`, to: to('v1', bundle) }),
        );
        const results = await Promise.all(
          changes.map((change) =>
            store.point([change], null, () => seen.push(Object.keys(onDisk().flows).length)),
          ),
        );
        expect(results.at(-1)).toEqual(onDisk());
        expect(Object.keys(onDisk().flows)).toHaveLength(50);
        // Every one of them ran after a write that held more than itself: fifty writes would have shown 1, 2, 3, …
        expect(seen).toHaveLength(50);
        expect(new Set(seen).size).toBeLessThan(5);
      });

      it('runs what goes alongside in the transaction in which the database follows', async () => {
        const bundle = await install('v1');
        await store.point([{ flow: 'a', to: to('v1', bundle) }], null, () =>
          under.documents.write('outbox', 'row'),
        );
        expect(under.documents.read('outbox')).toBe('row');
        await expect(
          store.point([{ flow: 'b', to: to('v1', bundle) }], null, () => {
            under.documents.write('outbox', 'half');
            throw new Error('crash');
          }),
        ).rejects.toThrow('crash');
        expect(under.documents.read('outbox')).toBe('row');
        // The pointer is the truth: the next start brings the database up.
        expect(Object.keys(onDisk().flows)).toEqual(['a', 'b']);
        store = await under.reopen();
        expect((await store.recover(clock.now())).databaseFollowed).toBe(true);
        expect((await store.recover(clock.now())).databaseFollowed).toBe(false);
      });

      it.each([
        ['half of it', '{"format":1,"flows":{'],
        ['nothing', ''],
        ['another format', '{"format":2,"seq":null,"revision":null,"flows":{}}'],
        ['a wrong field', '{"format":1,"seq":{"keys":"x","value":1},"revision":null,"flows":{}}'],
      ])('is never taken for empty when the file holds %s', async (_what, text) => {
        await install('v1');
        writeFileSync(join(under.tenant, 'current.json'), text);
        store = await under.reopen();
        expect(() => store.current()).toThrow(/expected the pointer in .*current\.json/);
        await expect(store.recover(clock.now())).rejects.toThrow(/expected the pointer/);
        await expect(store.markApplied(REVISION, null)).rejects.toThrow(/expected the pointer/);
        expect(readFileSync(join(under.tenant, 'current.json'), 'utf8')).toBe(text);
        expect(readdirSync(under.tenant)).toContain('v1');
      });
    });

    describe('drift', () => {
      const drift: [string, (folder: string) => void, 'quick' | 'deep'][] = [
        ['a changed byte', (folder) => spoil(join(folder, 'main.py')), 'deep'],
        ['a missing file', (folder) => unlock(folder) && rmSync(join(folder, 'main.py')), 'deep'],
        ['a file more', (folder) => unlock(folder) && writeFileSync(join(folder, 'more.py'), ''), 'deep'],
        ['a folder more', (folder) => unlock(folder) && mkdirSync(join(folder, 'more')), 'deep'],
        [
          'no mark',
          (folder) => unlock(folder) && rmSync(join(folder, '.complete'), { force: true }),
          'quick',
        ],
        ['nothing', (folder) => rmSync(folder, { recursive: true }), 'quick'],
      ];
      if (posix) {
        drift.push(
          [
            'a symbolic link more',
            (folder) => unlock(folder) && symlinkSync('/etc', join(folder, 'l')),
            'deep',
          ],
          ['another right to execute', (folder) => chmodSync(join(folder, 'main.py'), 0o555), 'deep'],
        );
      }
      it.each(drift)('is found: %s', async (_what, change, depth) => {
        await install('v1', bundleOf({ 'main.py': 'print(1)', 'lib/a.py': 'x' }));
        expect(await store.check('v1', 'deep', never)).toEqual({ kind: 'intact' });
        change(join(under.tenant, 'v1'));
        expect(await store.check('v1', depth, never)).toMatchObject({
          kind: 'drifted',
          message: expect.stringContaining('v1'),
        });
      });
    });

    describe('removal', () => {
      it('takes a version and the folder of a flow that has no other', async () => {
        await install('flows/login/v1', bundleOf({ 'lib/deep/a.py': 'xyz' }));
        await install('flows/login/v2');
        expect(await store.remove('flows/login/v1')).toBe(3);
        expect(readdirSync(join(under.tenant, 'flows', 'login'))).toEqual(['v2']);
        await store.remove('flows/login/v2');
        expect(readdirSync(join(under.tenant, 'flows'))).toEqual([]);
        expect(readdirSync(join(under.state, 'trash'))).toEqual([]);
        await install('flows/login/v1');
      });

      it('refuses what the pointer names, now or as the previous one', async () => {
        const one = await install('v1');
        const two = await install('v2');
        await point('default', 'v1', one);
        await point('default', 'v2', two);
        await expect(store.remove('v1')).rejects.toThrow(/current\.json/);
        await expect(store.remove('v2')).rejects.toThrow(/current\.json/);
        expect(await store.versions()).toHaveLength(2);
      });

      it('sweeps downloads a day old but those asked to be kept, and says so before', async () => {
        const one = bundleOf({ a: '1' });
        const two = bundleOf({ a: '2' });
        await download(one);
        await download(two);
        const part = await store.openDownload('e'.repeat(64));
        await part.restart('"x"');
        await part.write(Buffer.alloc(10));
        await part.keep();
        const later = new Date(clock.now().getTime() + DAY_MS + 1);
        expect(await store.sweep(clock.now(), new Set(), false)).toEqual({ removed: 0, bytes: 0 });
        const all = { removed: 2, bytes: two.bytes.length + 10 };
        expect(await store.sweep(later, new Set([one.sha256]), true)).toEqual(all);
        expect(staged()).toHaveLength(4);
        expect(await store.sweep(later, new Set([one.sha256]), false)).toEqual(all);
        expect(staged()).toEqual([`${one.sha256}.bundle`]);
      });
    });

    describe('recovery', () => {
      it('removes half-unpacked folders, the trash and old partial downloads, and nothing else', async () => {
        const bundle = await install('v1');
        await point('default', 'v1', bundle);
        const young = await store.openDownload('e'.repeat(64));
        await young.restart('"x"');
        await young.write(Buffer.alloc(10));
        await young.keep();
        const old = join(under.state, 'staging', `${'f'.repeat(64)}.part`);
        writeFileSync(old, 'x');
        utimesSync(old, 0, 0);
        mkdirSync(join(under.state, 'staging', 'unpacking', 'half'));
        mkdirSync(join(under.state, 'trash', 'old', 'x'), { recursive: true, mode: 0o555 });
        for (const path of ['v9', 'flows/login/v1']) mkdirSync(join(under.tenant, path), { recursive: true });
        writeFileSync(join(under.tenant, 'notes.txt'), 'of a person');
        store = await under.reopen();
        expect(await store.recover(clock.now())).toEqual({
          removedStaging: 4,
          removedTrash: 1,
          damaged: [],
          databaseFollowed: false,
        });
        expect(readdirSync(under.tenant).sort()).toEqual(['current.json', 'flows', 'notes.txt', 'v1']);
        const resumed = await store.openDownload('e'.repeat(64));
        expect(resumed.offset).toBe(10);
        await resumed.keep();
        expect(await store.recover(clock.now())).toEqual({
          removedStaging: 0,
          removedTrash: 0,
          damaged: [],
          databaseFollowed: false,
        });
      });

      it('names the flows whose version is not whole, and leaves what is there to them', async () => {
        const one = await install('v1');
        const two = await install('flows/b/v1');
        const three = await install('flows/c/v1');
        await store.point(
          [
            { flow: 'a', to: to('v1', one) },
            { flow: 'b', to: to('flows/b/v1', two) },
            { flow: 'c', to: to('flows/c/v1', three) },
          ],
          null,
        );
        unlock(join(under.tenant, 'v1'));
        rmSync(join(under.tenant, 'v1', '.complete'), { force: true });
        rmSync(join(under.tenant, 'flows', 'b', 'v1'), { recursive: true, force: true });
        store = await under.reopen();
        expect((await store.recover(clock.now())).damaged.toSorted()).toEqual(['a', 'b']);
        expect(existsSync(join(under.tenant, 'v1', 'main.py'))).toBe(true);
        expect(await unpack(one, 'v1')).toMatchObject({ kind: 'unpacked' });
        expect(await unpack(two, 'flows/b/v1')).toMatchObject({ kind: 'unpacked' });
        expect((await store.recover(clock.now())).damaged).toEqual([]);
      });

      it.runIf(posix)('refuses to work through a symbolic link', async () => {
        await install('v1');
        rmSync(join(under.state, 'trash'), { recursive: true });
        symlinkSync('/tmp', join(under.state, 'trash'));
        await expect(store.recover(clock.now())).rejects.toThrow(
          /expected a folder at .*trash, found a symbolic link/,
        );
      });

      it.runIf(posix)('takes a link in a version’s place for no version, and never follows it', async () => {
        const bundle = await install('v1');
        symlinkSync(join(under.tenant, 'v1'), join(under.tenant, 'v2'));
        await store.recover(clock.now());
        expect(await store.record('v2')).toBeNull();
        expect((await store.versions()).map(({ path }) => path)).toEqual(['v1']);
        expect(await store.check('v2', 'quick', never)).toMatchObject({ kind: 'drifted' });
        expect(await unpack(bundle, 'v2')).toMatchObject({ kind: 'unpacked' });
        expect(lstatSync(join(under.tenant, 'v2')).isDirectory()).toBe(true);
        expect(await store.check('v1', 'deep', never)).toEqual({ kind: 'intact' });
      });
    });

    it('says how much is used and free', async () => {
      await install('v1', bundleOf({ a: Buffer.alloc(500_000, 'x') }));
      const { used, free } = await store.disk();
      expect(used).toBeGreaterThan(500_000);
      expect(free).toBeGreaterThan(0);
    });
  });
}

function unlock(folder: string): true {
  chmodSync(folder, 0o755);
  return true;
}

/** Changes one byte, as a failing disk or a curious person would. */
function spoil(file: string): void {
  chmodSync(file, 0o644);
  const bytes = readFileSync(file);
  bytes[0] = (bytes[0] ?? 0) ^ 1;
  writeFileSync(file, bytes);
  chmodSync(file, 0o444);
}
