import { createServer, type Server } from 'node:https';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { connectionFindings, type Network, patientNetwork } from '../../agent/doctor/connection.ts';
import type { Patient } from '../../agent/doctor/patient.ts';
import { makeCertificate, type TestCertificate } from '../support/certificate.ts';
import { startConnectProxy } from '../support/connect-proxy.ts';

let certificate: TestCertificate;
let server: Server;
let url: URL;
beforeAll(async () => {
  certificate = makeCertificate();
  server = createServer({ key: certificate.key, cert: certificate.cert }, (_request, response) =>
    response.end(),
  );
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url = new URL(`https://localhost:${(server.address() as AddressInfo).port}/some/where`);
});
afterAll(() => {
  server.close();
  certificate[Symbol.dispose]();
});

async function look(network: { proxy?: string }, caFile: string | null, at = url) {
  const patient = { loaded: { config: { network } }, paths: { caFile } } as unknown as Patient;
  const reached: Network = patientNetwork(patient, () => new Date());
  try {
    return await connectionFindings('network.console', at, reached, AbortSignal.timeout(20_000));
  } finally {
    reached.connections.close();
  }
}

describe('the connection to a server', () => {
  it('shows whose certificate it is and when it ends, soon enough to be renewed', async () => {
    const [dns, tls] = await look({}, certificate.caFile);
    expect(dns).toMatchObject({ name: 'network.console.dns', status: 'ok' });
    expect(tls).toMatchObject({ name: 'network.console.tls', status: 'warn' });
    expect(tls?.found).toMatch(
      /^localhost:\d+, direct; certificate of localhost by localhost, expires 20\d\d-\d\d-\d\d \(in 1 day\)$/,
    );
  });

  it('shows the certificate that is not believed, and sends it nothing', async () => {
    const [, tls] = await look({}, null);
    expect(tls).toMatchObject({ name: 'network.console.tls', status: 'fail' });
    expect(tls?.found).toMatch(
      /expected a certificate to believe, .*; certificate of localhost by localhost/,
    );
  });

  it('names the proxy it goes through, and leaves the name to it', async () => {
    await using proxy = await startConnectProxy();
    const [dns, tls] = await look({ proxy: proxy.url }, certificate.caFile);
    expect(dns?.found).toBe('localhost is left to the proxy');
    expect(tls?.found).toContain(`through the proxy ${new URL(proxy.url).host}; certificate of localhost`);
  });

  it('tells a name that nobody knows apart from a server that is not there', async () => {
    const unknown = await look({}, null, new URL('https://no-such-host.invalid/'));
    expect(unknown.map(({ name, status }) => [name, status])).toEqual([['network.console.dns', 'fail']]);
    const gone = await look({}, null, new URL('http://127.0.0.1:9/'));
    expect(gone.map(({ name, status }) => [name, status])).toEqual([
      ['network.console.dns', 'ok'],
      ['network.console.tcp', 'fail'],
    ]);
  });
});
