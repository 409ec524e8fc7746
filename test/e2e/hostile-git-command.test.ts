import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { ReconcileReport } from '../../schemas/status.ts';
import { GIT_BUDGETS } from '../../sources/git/budgets.ts';
import { makeCertificate, makeUnfitCertificate } from '../support/certificate.ts';
import { isReadable, secretsIn } from '../support/hostile-git/attempts.ts';
import { HTTP_ANSWER_LIES } from '../support/hostile-git/http-answer-lies.ts';
import { OBJECT_LIES } from '../support/hostile-git/object-lies.ts';
import { PACKET_LIES } from '../support/hostile-git/packet-lies.ts';
import { REF_LIES } from '../support/hostile-git/ref-lies.ts';
import { speakingTls, tlsLies } from '../support/hostile-git/tls-lies.ts';
import type { Lie } from '../support/hostile-git-server.ts';
import { createHostileWorld, type HostileWorld } from '../support/hostile-world.ts';
import { type LoopbackServer, startHttpServer } from '../support/http-server.ts';

// A guard against hanging, on a machine that does many other things.
vi.setConfig({ testTimeout: 300_000, hookTimeout: 120_000 });

/** `edge-agent reconcile` as a process of its own, over TLS: one lie of each way in which it may end, and all lies of TLS. */
const stranger = makeCertificate();
const honest = makeCertificate();
const certificates = {
  honest,
  stranger: { key: stranger.key, cert: stranger.cert },
  otherHost: makeUnfitCertificate('other host'),
  expired: makeUnfitCertificate('expired'),
};
let world: HostileWorld;
let plain: LoopbackServer;
let previous: string;
let said = '';

beforeAll(async () => {
  plain = await startHttpServer();
  world = await createHostileWorld({ secure: speakingTls(certificates), caFile: 'believed.pem' });
  const believed = [honest, certificates.otherHost, certificates.expired].map(({ cert }) => cert);
  writeFileSync(join(world.folder, 'believed.pem'), believed.join('\n'));
  previous = await world.publish();
  await reconcile();
});
afterAll(async () => {
  for (const certificate of [honest, stranger]) certificate[Symbol.dispose]();
  await plain?.[Symbol.asyncDispose]();
  await world?.[Symbol.asyncDispose]();
});

async function reconcile() {
  const ended = await world.command('--output', 'json', 'reconcile');
  said += ended.stdout + ended.stderr;
  const report = JSON.parse(ended.stdout) as ReconcileReport & { error?: { code: string; message: string } };
  return { ...ended, report };
}

const named = (lies: readonly Lie[], ...names: string[]) =>
  names.map((name) => lies.find(({ what }) => what === name) as Lie);
const CHOSEN: readonly Lie[] = [
  ...tlsLies(certificates, () => plain.origin),
  ...named(HTTP_ANSWER_LIES, 'asks for a password again and again', 'refuses with a page that never ends'),
  ...named(
    PACKET_LIES,
    'fails in a side band with control characters of a terminal',
    'sends a pack without end',
  ),
  ...named(REF_LIES, 'hides the branch'),
  ...named(OBJECT_LIES, 'leaves a file out'),
];

describe('edge-agent reconcile, asking a server that lies', () => {
  test.each(CHOSEN)('$what', async (lie) => {
    const tip = await world.publish();
    const before = world.neighbourhood();
    world.server.lie(lie, { tip, previous });
    const lied = await reconcile();
    world.server.lie(null);
    expect({
      exit: lied.code,
      code: lied.report.error?.code,
      said: lied.report.error?.message,
    }).toMatchObject({
      exit: lie.exit,
      code: lie.code,
    });
    expect(lied.report.error?.message).toMatch(lie.says ?? /expected/);
    expect(isReadable(lied.report.error?.message ?? '')).toBe(true);
    expect(lied.stderr).toContain(lied.report.error?.message);
    expect(Math.max(...Object.values(lied.peakBytes))).toBeLessThan(GIT_BUDGETS.childMemoryBytes);
    expect(world.neighbourhood()).toEqual(before);
    expect(world.processes()).toEqual([]);
    expect(plain.requests).toEqual([]);

    const after = await reconcile();
    expect({ exit: after.code, error: after.report.error }).toEqual({ exit: 0, error: undefined });
    expect(after.report.source.last_applied_revision).toBe(`tenant/acme@sha1:${tip}`);
    previous = tip;
  });

  test('writes no secret anywhere', () => {
    expect(secretsIn(world, said, { logs: false })).toEqual([]);
  });
});
