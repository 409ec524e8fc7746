import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { askPort } from './ask-port.ts';
import { makeCertificate } from './certificate.ts';
import { freePort } from './free-port.ts';

export const TOKEN = 'a "token" with {{ .Envs.HOME }} and \\ in it';

/** The real server of a tunnel, and where those reach it who want something of the agent. */
export interface TunnelServer {
  /** `tunnel.server`. */
  readonly server: string;
  /** Of its certificate, where it has one. */
  readonly caFile: string | null;
  /** Of its Noise key, where it has one. */
  readonly publicKey: string | null;
  /** Posts to `/commands` of the service, as a console would: the status, and the body as JSON or null. */
  post(body: string): Promise<{ status: number; body: unknown } | null>;
  start(): Promise<void>;
  kill(): Promise<void>;
  close(): Promise<void>;
}

export type Transport = 'tcp' | 'tls' | 'noise' | 'websocket';

/** rathole's server with one service. It is started. */
export async function startRatholeServer(
  program: string,
  {
    transport,
    service = 'acme-lyon',
    token = TOKEN,
  }: { transport: Transport; service?: string; token?: string },
): Promise<TunnelServer> {
  const folder = mkdtempSync(join(tmpdir(), 'rathole-'));
  const [port, publicPort] = [await freePort(), await freePort()];
  const encrypted = transport === 'tls' || transport === 'websocket';
  const certificate = encrypted ? makeCertificate() : null;
  const lines = [
    '[server]',
    `bind_addr = "127.0.0.1:${port}"`,
    '[server.transport]',
    `type = "${transport}"`,
  ];
  let publicKey: string | null = null;
  if (certificate !== null) {
    const identity = join(folder, 'identity.pfx');
    const from = ['-inkey', certificate.keyFile, '-in', certificate.caFile];
    execFileSync('openssl', ['pkcs12', '-export', ...from, '-out', identity, '-passout', 'pass:secret']);
    lines.push('[server.transport.tls]', `pkcs12 = "${identity}"`, 'pkcs12_password = "secret"');
  }
  if (transport === 'websocket') lines.push('[server.transport.websocket]', 'tls = true');
  if (transport === 'noise') {
    const said = execFileSync(program, ['--genkey']).toString();
    const [, secret, shared] = /Private Key:\s*(\S+)\s+Public Key:\s*(\S+)/.exec(said) ?? [];
    lines.push('[server.transport.noise]', `local_private_key = "${secret}"`);
    publicKey = shared ?? '';
  }
  lines.push(
    `[server.services.${JSON.stringify(service)}]`,
    `token = ${JSON.stringify(token)}`,
    `bind_addr = "127.0.0.1:${publicPort}"`,
  );
  const configuration = join(folder, 'server.toml');
  writeFileSync(configuration, `${lines.join('\n')}\n`);
  const process = createServerProcess(program, ['--server', configuration], / Listening at /);
  await process.start();
  return {
    ...process,
    server: `127.0.0.1:${port}`,
    caFile: certificate?.caFile ?? null,
    publicKey,
    post: (body) => post(publicPort, 'localhost', body),
    async close() {
      await process.kill();
      certificate?.[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

/** frp's server. It is started. With `tls` it has a certificate that `caFile` believes; without it plain TCP is taken too. */
export async function startFrpServer(
  program: string,
  { tls, service = 'acme-lyon' }: { tls: boolean; service?: string },
): Promise<TunnelServer> {
  const folder = mkdtempSync(join(tmpdir(), 'frps-'));
  const [port, publicPort] = [await freePort(), await freePort()];
  const certificate = tls ? makeCertificate() : null;
  const configuration = join(folder, 'frps.json');
  const text = JSON.stringify({
    bindAddr: '127.0.0.1',
    bindPort: port,
    proxyBindAddr: '127.0.0.1',
    vhostHTTPPort: publicPort,
    subDomainHost: 'tunnel.example',
    auth: { method: 'token', token: TOKEN },
    log: { disablePrintColor: true },
    ...(certificate === null
      ? {}
      : {
          transport: { tls: { force: true, certFile: certificate.caFile, keyFile: certificate.keyFile } },
        }),
  });
  // frp runs it through a template engine first.
  writeFileSync(configuration, text.replaceAll('{{', '\\u007b\\u007b'));
  const process = createServerProcess(program, ['-c', configuration], /frps started successfully/);
  await process.start();
  const host = service.includes('.') ? service : `${service}.tunnel.example`;
  return {
    ...process,
    server: `127.0.0.1:${port}`,
    caFile: certificate?.caFile ?? null,
    publicKey: null,
    post: (body) => post(publicPort, host, body),
    async close() {
      await process.kill();
      certificate?.[Symbol.dispose]();
      rmSync(folder, { recursive: true });
    },
  };
}

function createServerProcess(program: string, args: readonly string[], ready: RegExp) {
  let child: ChildProcess | null = null;
  return {
    async start() {
      const starting = spawn(program, [...args], { stdio: ['ignore', 'pipe', 'inherit'] });
      child = starting;
      let said = '';
      await new Promise<void>((resolve, reject) => {
        starting.stdout.setEncoding('utf8').on('data', (text: string) => {
          said += text;
          if (ready.test(said) || /rathole::server: Listening/.test(said)) resolve();
        });
        starting.once('exit', () => reject(new Error(`expected ${program} to start, it said: ${said}`)));
      });
    },
    async kill() {
      if (child === null || child.exitCode !== null || child.signalCode !== null) return;
      child.kill('SIGKILL');
      await once(child, 'exit');
    },
  };
}

async function post(port: number, host: string, body: string) {
  try {
    const { status, headers, body: text } = await askPort(port, { headers: { host }, body });
    const json = headers['content-type'] === 'application/json';
    return { status, body: json ? (JSON.parse(text) as unknown) : null };
  } catch {
    // Nobody is there, or nobody behind who is.
    return null;
  }
}
