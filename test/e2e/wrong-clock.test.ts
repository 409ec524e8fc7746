import { readFile } from 'node:fs/promises';
import { createServer, request } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DoctorReport } from '../../schemas/doctor.ts';
import type { Event } from '../../schemas/event.ts';
import type { RunSummary } from '../../schemas/run.ts';
import type { Status } from '../../schemas/status.ts';
import { makeCertificate } from '../support/certificate.ts';
import { type ConsoleWorld, createConsoleWorld, type EnrolledMachine } from '../support/console-world.ts';
import { createWorld, helloBundle } from '../support/world.ts';
import { WRONG_CLOCK, withClockOff } from '../support/wrong-clock.ts';

const MINUTES = 60;
const YEARS = 365 * 86_400;

describe.skipIf(WRONG_CLOCK === null)('a whole agent whose clock is wrong', { timeout: 180_000 }, () => {
  let world: ConsoleWorld;
  beforeAll(async () => {
    world = await createConsoleWorld();
    const bundle = helloBundle('hello');
    const edge_url = await world.upload('hello.tar.gz', bundle);
    const flow = { id: 'hello', version: 'v1.0.0', edge_url, sha256: bundle.sha256, runtime: 'python' };
    await world.release([{ ...flow, entrypoint: 'main.py' }]);
  });
  afterAll(() => world[Symbol.asyncDispose]());

  const runs = (machine: EnrolledMachine) => machine.json<RunSummary[]>('runs');
  const succeeds = (machine: EnrolledMachine, runId: string) =>
    expect
      .poll(async () => (await runs(machine)).find((run) => run.run_id === runId)?.state, {
        timeout: 50_000,
        interval: 500,
      })
      .toBe('succeeded');
  const isReady = (machine: EnrolledMachine) =>
    expect
      .poll(
        async () => {
          const { tunnel, flows } = await machine.json<Status>('status');
          return [tunnel.state, flows[0]?.active_version];
        },
        { timeout: 50_000, interval: 500 },
      )
      .toEqual(['connected', 'v1.0.0']);
  const send = async (machine: EnrolledMachine, runId: string, expiresMs: number) => {
    const expires = new Date(Date.now() + expiresMs).toISOString();
    const jws = await world.sign(
      machine.agentId,
      { action: 'run', run_id: runId, flow: 'hello' },
      { expires },
    );
    const answer = await fetch(`${world.url}/api/agents/${machine.agentId}/commands`, {
      method: 'POST',
      headers: { 'x-api-key': world.running.apiKey, 'content-type': 'application/json' },
      body: JSON.stringify({ jws }),
    });
    expect(answer.status).toBe(202);
  };

  it('by ten minutes behind is enrolled, released to and commanded, and says so', async () => {
    const machine = await withClockOff(-10 * MINUTES, () => world.enrol('behind'));
    const daemon = withClockOff(-10 * MINUTES, () => machine.start());
    await isReady(machine);
    await send(machine, 'behind-1', 3_600_000);
    await succeeds(machine, 'behind-1');
    const status = await machine.json<Status>('status');
    expect(Math.abs((status.clock_offset_ms ?? 0) - 600_000)).toBeLessThan(5_000);
    await expect
      .poll(async () => (await machine.json<Status>('status')).outbox.pending, {
        timeout: 50_000,
        interval: 500,
      })
      .toBe(0);
    const told = (await machine.json<Event[]>('events', '-n', '500')).filter(
      ({ reason }) => reason === 'ClockSkewed',
    );
    expect(told.map(({ message }) => message)).toEqual([
      expect.stringMatching(
        /^this machine's clock is 10 min \(± .*\) behind the (console's|servers'); set it/,
      ),
    ]);
    // what it took from ahead of its clock is known beside the state, which may be lost
    const noted = JSON.parse(
      await readFile(join(machine.folder, 'credentials', 'command-time.json'), 'utf8'),
    ) as {
      latest_issued: string;
    };
    expect(Date.parse(noted.latest_issued)).toBeGreaterThan(Date.now() - 120_000);
    expect(await daemon.stop()).toBe(0);

    const report = JSON.parse(
      (await withClockOff(-10 * MINUTES, () => machine.agent('--output', 'json', 'doctor'))).stdout,
    ) as DoctorReport;
    expect(report.exit_code).toBe(0);
    expect(report.checks.find(({ name }) => name === 'clock.offset.console')).toMatchObject({
      status: 'warn',
      found: expect.stringMatching(/^10 min .* behind the console's clock; here it is /),
    });
  });

  it('by ten minutes ahead takes a command that has expired by it', async () => {
    const machine = await world.enrol('ahead');
    expect((await machine.agent('reconcile')).code).toBe(0);
    const daemon = withClockOff(10 * MINUTES, () => machine.start());
    await isReady(machine);
    await send(machine, 'ahead-1', 300_000);
    await succeeds(machine, 'ahead-1');
    expect(await daemon.stop()).toBe(0);
  });

  it.each([
    ['seven years behind', -7 * YEARS],
    ['seven years ahead', 7 * YEARS],
  ])('by %s is let in by the console all the same', async (name, seconds) => {
    const machine = await withClockOff(seconds, () => world.enrol(name.replaceAll(' ', '-')));
    await withClockOff(seconds, () => machine.agent('reconcile'));
    const status = await machine.json<Status>('status');
    // everything it had to tell is told: the status at least
    expect(status.outbox).toMatchObject({ pending: 0, parked: 0 });
  });

  it('by years is told so where a certificate is refused for it', async () => {
    using certificate = makeCertificate();
    const server = createSecureServer(
      { key: certificate.key, cert: certificate.cert },
      (_request, response) => response.end('ok'),
    );
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as AddressInfo;
    await using small = await createWorld();
    small.writeConfig({
      source: { url: `https://localhost:${port}/git` },
      network: { ca_file: certificate.caFile },
    });
    try {
      const { stderr } = await withClockOff(-7 * YEARS, () => small.agent('reconcile'));
      expect(stderr).toMatch(
        /certificate is not yet valid.*; this machine's clock says 20\d\d-.*Z: set it if that is wrong/,
      );
      const { code, stdout } = await withClockOff(-7 * YEARS, () =>
        small.agent('--output', 'json', 'doctor'),
      );
      const report = JSON.parse(stdout) as DoctorReport;
      expect(code).toBe(5);
      expect(report.checks.find(({ name }) => name === 'network.source.tls')?.found).toMatch(
        /this machine's clock says 20\d\d-.*certificate of localhost by localhost, is good from 20\d\d-\d\d-\d\d on/,
      );
    } finally {
      server.close();
    }
  });
});

describe('a server that lies of the time', { timeout: 120_000 }, () => {
  /** The same answers, of another time. */
  async function lying(target: string, date: string): Promise<{ url: string; close: () => void }> {
    const server = createServer((incoming, answer) => {
      const { method = 'GET', headers, url = '/' } = incoming;
      const outgoing = request(new URL(url, target), { method, headers }, (found) => {
        answer.writeHead(found.statusCode ?? 500, { ...found.headers, date });
        found.pipe(answer);
      });
      outgoing.on('error', () => answer.destroy());
      incoming.pipe(outgoing);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    return { url, close: () => void server.close() };
  }

  it.each([
    ['1999', 'Fri, 01 Jan 1999 00:00:00 GMT'],
    ['2099', 'Thu, 01 Jan 2099 00:00:00 GMT'],
  ])('of %s unlocks no expired release, and locks out none that is good', async (_year, date) => {
    await using world = await createWorld();
    const origin = new URL(world.git.url('builder')).origin;
    const liar = await lying(origin, date);
    try {
      world.writeConfig({ source: { url: world.git.url('builder').replace(origin, liar.url) } });
      const bundle = helloBundle('hello');
      const edge_url = world.serve('hello.tar.gz', bundle);
      const manifest = { edge_url, sha256: bundle.sha256, runtime: 'python' };
      const past = new Date(Date.now() - 3_600_000).toISOString();
      await world.release(manifest, {
        expires: past,
        issued: new Date(Date.now() - 7_200_000).toISOString(),
      });
      const expired = await world.reconcile();
      expect(expired.code).toBe(3);
      expect(expired.stderr).toContain('expected a release that has not expired');

      await world.release(manifest);
      const good = await world.reconcile();
      expect(good.code).toBe(0);
      expect(Math.abs(good.document.clock_offset_ms ?? 0)).toBeGreaterThan(YEARS * 1_000);
      const state = await readFile(join(world.folder, 'credentials', 'trust-state.json'), 'utf8');
      const { latest_issued } = JSON.parse(state) as { latest_issued: string };
      expect(Math.abs(Date.parse(latest_issued) - Date.now())).toBeLessThan(120_000);
      const { document } = await world.json<Event[]>('events', '-n', '100');
      expect(document.filter(({ reason }) => reason === 'ClockSkewed')).not.toEqual([]);
    } finally {
      liar.close();
    }
  });
});
