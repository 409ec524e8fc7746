import { createHash, randomBytes } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { BundleSource, FetchProgress } from '../../reconciler/ports.ts';
import { memoryDownload } from '../support/memory-download.ts';

export interface BundleSourceUnderTest {
  readonly source: BundleSource;
  /** Puts an object there and gives the URL a manifest would name. */
  publish(name: string, content: Uint8Array): Promise<string>;
  /** A URL that the allow-list does not cover. */
  readonly elsewhere: string;
  /** The largest bundle it takes: 1 MiB. */
  close(): Promise<void>;
}

/** What every BundleSource of reconciler/ports.ts does, whatever it fetches from. `artifacts.max_bytes` is to be 1 MiB. */
export function bundleSourceContract(name: string, start: () => Promise<BundleSourceUnderTest>): void {
  describe(`bundle source contract: ${name}`, () => {
    let under: BundleSourceUnderTest;
    beforeAll(async () => {
      under = await start();
    }, 180_000);
    afterAll(() => under.close());

    const hash = (content: Uint8Array) => createHash('sha256').update(content).digest('hex');
    const signal = new AbortController().signal;
    const content = randomBytes(300_000);
    const sha256 = hash(content);

    test('fetches, hashes and counts a bundle', async () => {
      const url = await under.publish('whole.tar.gz', content);
      const into = memoryDownload(sha256);
      const told: FetchProgress[] = [];
      const request = { flow: 'invoice', url, sha256, size: content.byteLength };
      const outcome = await under.source.fetch(request, into, {
        signal,
        onProgress: (step) => void told.push(step),
      });
      expect(outcome).toEqual({ kind: 'fetched', bytes: content.byteLength });
      expect(into.content.equals(content)).toBe(true);
      expect(told.at(-1)).toEqual({ flow: 'invoice', bytes: content.byteLength, total: content.byteLength });
      expect(into.calls.at(-1)).toBe('keep');
    });

    test('fetches a key with spaces, letters beyond ASCII and signs', async () => {
      const url = await under.publish("dir/été (1)+~'!*.tar.gz", content);
      const outcome = await under.source.fetch(
        { flow: 'a', url, sha256, size: null },
        memoryDownload(sha256),
        { signal },
      );
      expect(outcome).toEqual({ kind: 'fetched', bytes: content.byteLength });
    });

    test('goes on where an interrupted download stopped', async () => {
      const url = await under.publish('resume.tar.gz', content);
      const first = memoryDownload(sha256);
      await under.source.fetch({ flow: 'a', url, sha256, size: null }, first, { signal });
      expect(first.validator).toMatch(/^"/);
      const left = { content: content.subarray(0, 100_000), validator: first.validator };
      const into = memoryDownload(sha256, left);
      const outcome = await under.source.fetch({ flow: 'a', url, sha256, size: content.byteLength }, into, {
        signal,
      });
      expect(outcome).toEqual({ kind: 'fetched', bytes: content.byteLength });
      expect(into.calls).toEqual(['finish', 'keep']);
    });

    test('starts again when the object has been replaced since', async () => {
      const url = await under.publish('replaced.tar.gz', content);
      const left = { content: randomBytes(100_000), validator: '"0123456789abcdef0123456789abcdef"' };
      const into = memoryDownload(sha256, left);
      const outcome = await under.source.fetch({ flow: 'a', url, sha256, size: null }, into, { signal });
      expect(outcome).toEqual({ kind: 'fetched', bytes: content.byteLength });
      expect(into.calls[0]).toMatch(/^restart "/);
    });

    test('calls another digest a mismatch', async () => {
      const url = await under.publish('other.tar.gz', randomBytes(5_000));
      const outcome = await under.source.fetch(
        { flow: 'a', url, sha256, size: null },
        memoryDownload(sha256),
        { signal },
      );
      expect(outcome).toMatchObject({ kind: 'mismatch', message: expect.stringContaining(sha256) });
    });

    test('reads nothing when the length is not the size of the manifest', async () => {
      const url = await under.publish('size.tar.gz', content);
      const into = memoryDownload(sha256);
      const outcome = await under.source.fetch({ flow: 'a', url, sha256, size: 299_999 }, into, { signal });
      expect(outcome).toMatchObject({
        kind: 'mismatch',
        message: expect.stringContaining('expected 299999 bytes'),
      });
      expect(into.content.byteLength).toBe(0);
    });

    test('is stalled by a bundle over artifacts.max_bytes', async () => {
      const large = randomBytes(1_024 * 1_024 + 1);
      const url = await under.publish('large.tar.gz', large);
      const request = { flow: 'a', url, sha256: hash(large), size: null };
      const into = memoryDownload(hash(large));
      const stalled = { kind: 'stalled', code: 'caps_exceeded' };
      expect(await under.source.fetch(request, into, { signal })).toMatchObject(stalled);
      expect(into.content.byteLength).toBe(0);
      expect(
        await under.source.fetch({ ...request, size: large.byteLength }, into, { signal }),
      ).toMatchObject(stalled);
    });

    test('tries again later when the bundle is not there', async () => {
      const url = (await under.publish('here', content)).replace(/here$/, 'not-here');
      const outcome = await under.source.fetch(
        { flow: 'a', url, sha256, size: null },
        memoryDownload(sha256),
        { signal },
      );
      expect(outcome).toMatchObject({
        kind: 'retry',
        code: 'server_error',
        message: expect.stringContaining('404'),
      });
    });

    test('refuses what the allow-list does not cover, when asked and when told to fetch', async () => {
      const refused = { kind: 'refused', code: 'url_not_allowed' };
      expect(under.source.allows(under.elsewhere)).toMatchObject(refused);
      const request = { flow: 'a', url: under.elsewhere, sha256, size: null };
      expect(await under.source.fetch(request, memoryDownload(sha256), { signal })).toMatchObject(refused);
    });

    test('rejects with the reason of the signal, and keeps the bytes', async () => {
      const url = await under.publish('aborted.tar.gz', content);
      const into = memoryDownload(sha256);
      const reason = new Error('a newer revision');
      const controller = new AbortController();
      const fetching = under.source.fetch({ flow: 'a', url, sha256, size: null }, into, {
        signal: controller.signal,
        onProgress: () => controller.abort(reason),
      });
      await expect(fetching).rejects.toBe(reason);
      expect(into.calls.at(-1)).toBe('keep');
    });
  });
}
