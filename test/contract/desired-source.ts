import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { DesiredSource, Observation } from '../../reconciler/ports.ts';

/** A source and the server behind it. Ends with `await using`. */
export interface SourceWorld extends AsyncDisposable {
  readonly source: DesiredSource;
  /** Everything the source may write to. */
  readonly stateDirectory: string;
  /** Makes these files, by path, the whole desired state. */
  publish(files: Readonly<Record<string, string>>): Promise<void>;
  /** Requests that reached the server so far. */
  requests(): number;
  /** From now on the server answers every request like this; `silent` takes it and says nothing. */
  fail(how: 401 | 403 | 500 | 503 | 'silent'): void;
  /** From now on nobody listens. */
  stop(): Promise<void>;
}

const FILES = {
  'manifest.json': '{"edge_url":"https://artifacts.example/a.tar.gz"}',
  'release.jws.json': '{"payload":"e30"}',
  'agent-policy.yaml': 'version: 1\n',
  'roots/2.root.jws.json': '{"payload":"Mg"}',
};

/** What the reconciler relies on in every desired state source (reconciler/ports.ts, DesiredSource). */
export function desiredSourceContract(
  name: string,
  makeWorld: (options: { timeoutMs: number }) => Promise<SourceWorld>,
): void {
  const open = (timeoutMs = 15_000) => makeWorld({ timeoutMs });
  const signal = new AbortController().signal;
  const found = async (source: DesiredSource) => mustBeFound(await source.observe(signal));

  describe(`${name} as a source of the desired state`, () => {
    test('reads the published files byte for byte', async () => {
      await using world = await open();
      await world.publish(FILES);
      const result = await world.source.read(await found(world.source), signal);
      expect(result).toMatchObject({ kind: 'read' });
      const { snapshot } = result as Extract<typeof result, { kind: 'read' }>;
      const texts = Object.entries(FILES).map(([path, text]) => [path, Buffer.from(text)]);
      for (const [path, bytes] of texts) {
        expect(Buffer.from(snapshot.files.get(path as string) ?? '')).toEqual(bytes);
      }
      expect(snapshot.files.size).toBe(texts.length);
      expect(snapshot.revision).toMatch(/^tenant\/acme@(?:sha1:[0-9a-f]{40}|sha256:[0-9a-f]{64})$/);
    });

    test('leaves out files that are not published', async () => {
      await using world = await open();
      await world.publish({ 'manifest.json': FILES['manifest.json'] });
      const result = await world.source.read(await found(world.source), signal);
      expect(result).toMatchObject({ kind: 'read' });
      expect([...(result as Extract<typeof result, { kind: 'read' }>).snapshot.files.keys()]).toEqual([
        'manifest.json',
      ]);
    });

    test('finds out that nothing changed with two requests and without writing', async () => {
      await using world = await open();
      await world.publish(FILES);
      const first = await found(world.source);
      await world.source.read(first, signal);
      const before = listing(world.stateDirectory);
      for (let round = 0; round < 2; round += 1) {
        const requests = world.requests();
        expect(await found(world.source)).toEqual(first);
        expect(world.requests() - requests).toBeLessThanOrEqual(2);
      }
      expect(listing(world.stateDirectory)).toEqual(before);
    });

    test('tells a changed manifest and a changed statement by the fingerprint', async () => {
      await using world = await open();
      await world.publish(FILES);
      const first = await found(world.source);
      await world.publish({ ...FILES, 'manifest.json': '{}' });
      const second = await found(world.source);
      expect(second.fingerprint).not.toBe(first.fingerprint);
      await world.publish({ ...FILES, 'manifest.json': '{}', 'release.jws.json': '{"payload":"other"}' });
      expect((await found(world.source)).fingerprint).not.toBe(second.fingerprint);
    });

    test('says that there is nothing when the server answers and nothing is published', async () => {
      await using world = await open();
      expect(await world.source.observe(signal)).toMatchObject({ kind: 'absent' });
    });

    test.each([401, 403] as const)('stalls on the credentials at %d', async (status) => {
      await using world = await open();
      await world.publish(FILES);
      world.fail(status);
      expect(await world.source.observe(signal)).toMatchObject({
        kind: 'stalled',
        code: 'credentials_refused',
      });
    });

    test.each([500, 503] as const)('tries again later at %d', async (status) => {
      await using world = await open();
      await world.publish(FILES);
      world.fail(status);
      expect(await world.source.observe(signal)).toMatchObject({ kind: 'retry', code: 'server_error' });
    });

    test('tries again later when a server is silent for longer than the timeout', async () => {
      await using world = await open(300);
      world.fail('silent');
      expect(await world.source.observe(signal)).toMatchObject({ kind: 'retry', code: 'timeout' });
    });

    test('tries again later when nobody listens', async () => {
      await using world = await open();
      await world.stop();
      expect(await world.source.observe(signal)).toMatchObject({ kind: 'retry', code: 'network' });
    });

    test('gives up at once with the reason of the signal', async () => {
      await using world = await open();
      world.fail('silent');
      const controller = new AbortController();
      const reason = new Error('shutting down');
      setTimeout(() => controller.abort(reason), 50);
      await expect(world.source.observe(controller.signal)).rejects.toBe(reason);
    });

    test('recalls a revision without the network, or says that it cannot', async () => {
      await using world = await open();
      await world.publish(FILES);
      const first = await found(world.source);
      await world.source.read(first, signal);
      const requests = world.requests();
      const recalled = await world.source.recall(first.revision);
      expect(world.requests()).toBe(requests);
      const manifest =
        recalled === null ? null : Buffer.from(recalled.files.get('manifest.json') ?? '').toString();
      expect([null, FILES['manifest.json']]).toContain(manifest);
      expect([undefined, first.revision]).toContain(recalled?.revision);
      expect(await world.source.recall(`tenant/acme@sha1:${'0'.repeat(40)}`)).toBeNull();
    });

    test('still reads after a clean-up, and a second clean-up finds nothing', async () => {
      await using world = await open();
      await world.publish(FILES);
      const first = await found(world.source);
      await world.source.read(first, signal);
      const later = new Date(Date.now() + 100 * 86_400_000);
      await world.source.cleanUp(later, 30, false);
      expect(await world.source.cleanUp(later, 30, false)).toEqual({ tags: [], objects: 0, bytes: 0 });
      expect(await world.source.read(first, signal)).toMatchObject({ kind: 'read' });
    });
  });
}

export function mustBeFound(observation: Observation): { revision: string; fingerprint: string } {
  expect(observation).toMatchObject({ kind: 'found' });
  return observation as Extract<Observation, { kind: 'found' }>;
}

/** Every file with its size and time: equal listings mean that nothing was written. */
export function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .sort()
    .map((name) => {
      const { size, mtimeMs, ino } = statSync(join(folder, name));
      return `${name} ${size} ${mtimeMs} ${ino}`;
    });
}
