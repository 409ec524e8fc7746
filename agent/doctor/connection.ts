import { lookup } from 'node:dns/promises';
import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { isIP } from 'node:net';
import { connect, type PeerCertificate, type TLSSocket } from 'node:tls';
import { type Connections, createConnections } from '../../system/http-connections.ts';
import { describeExchange, toHttpError } from '../../system/http-error.ts';
import { type Finding, fail, ok, warn } from './check.ts';
import type { Patient } from './patient.ts';
import { when } from './trust.ts';

const DAY_MS = 86_400_000;
const CERTIFICATE_NOTICE_MS = 14 * DAY_MS;
const PEEK_MS = 5_000;

/** How the network is reached, as agent.yaml and the environment say. */
export interface Network {
  readonly connections: Connections;
  /** What is used for a URL, for people. */
  route(url: URL): string;
  readonly now: () => Date;
}

export function patientNetwork({ loaded, paths }: Patient, now: () => Date): Network {
  const { proxy } = loaded.config.network;
  const environment = process.env;
  const connections = createConnections({
    environment,
    ...(paths.caFile === null ? {} : { caFile: paths.caFile }),
    ...(proxy === undefined ? {} : { proxy }),
  });
  return {
    connections,
    now,
    route(url) {
      if (!connections.proxied(url)) return 'direct';
      const variable = url.protocol === 'https:' ? 'HTTPS_PROXY' : 'HTTP_PROXY';
      const named = proxy ?? environment[variable.toLowerCase()] ?? environment[variable] ?? '';
      return `through the proxy ${URL.canParse(named) ? new URL(named).host : named}`;
    },
  };
}

/** The name, the connection and the certificate of one server, without any credentials. */
export async function connectionFindings(
  name: string,
  url: URL,
  network: Network,
  signal: AbortSignal,
): Promise<Finding[]> {
  const dns = await nameFinding(`${name}.dns`, url, network);
  if (dns.status === 'fail') return [dns];
  const reached = url.protocol === 'https:' ? `${name}.tls` : `${name}.tcp`;
  return [dns, await reachFinding(reached, url, network, signal)];
}

async function nameFinding(name: string, url: URL, network: Network): Promise<Finding> {
  const expected = 'a name that can be looked up';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (isIP(host) !== 0) return ok(name, `${host} is an address`, expected);
  if (network.connections.proxied(url)) return ok(name, `${host} is left to the proxy`, expected);
  try {
    const found = await lookup(host, { all: true });
    return ok(name, `${host} is ${found.map(({ address }) => address).join(', ')}`, expected);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const advice = 'check the name in agent.yaml, and the DNS of this machine';
    return fail(name, `${host}: ${code ?? message}`, expected, advice);
  }
}

async function reachFinding(name: string, url: URL, network: Network, signal: AbortSignal): Promise<Finding> {
  const secure = url.protocol === 'https:';
  const expected = secure ? 'a certificate to believe' : 'a connection';
  const at = `${url.host}, ${network.route(url)}`;
  try {
    const certificate = await knock(url, network, signal);
    if (certificate === null) return ok(name, at, expected);
    const found = `${at}; ${describeCertificate(certificate, network.now())}`;
    const left = Date.parse(certificate.valid_to) - network.now().getTime();
    return left < CERTIFICATE_NOTICE_MS
      ? warn(name, found, expected, 'tell whoever runs the server that its certificate ends soon')
      : ok(name, found, expected);
  } catch (error) {
    signal.throwIfAborted();
    const exchange = describeExchange('HEAD', new URL('/', url));
    const { code, message } = toHttpError(error, exchange, network.connections.proxied(url), network.now());
    const seen = code === 'tls' && !network.connections.proxied(url) ? await peek(url) : null;
    const shown = seen === null ? '' : `; ${describeCertificate(seen, network.now())}`;
    return fail(name, `${message}${shown}`, expected, adviceFor(code, network));
  }
}

function adviceFor(code: string, network: Network): string {
  if (code !== 'tls')
    return 'check the address, the firewall and the proxy (network.proxy, HTTPS_PROXY, NO_PROXY)';
  return `check this machine's clock (${network.now().toISOString()}), then the certificate, then network.ca_file`;
}

/** Any answer will do; the certificate of who gave it. */
function knock(url: URL, network: Network, signal: AbortSignal): Promise<PeerCertificate | null> {
  return new Promise((resolve, reject) => {
    const send = url.protocol === 'https:' ? secureRequest : plainRequest;
    const agent = network.connections.agentFor(url);
    const outgoing = send(new URL('/', url), { method: 'HEAD', agent, signal }, (answer) => {
      const socket = answer.socket as Partial<TLSSocket>;
      resolve(socket.getPeerCertificate?.() ?? null);
      answer.resume();
    });
    outgoing.on('error', reject);
    outgoing.end();
  });
}

/** Looks at a certificate that is not believed. Nothing is sent, nothing is taken from it but what is shown. */
function peek(url: URL): Promise<PeerCertificate | null> {
  return new Promise((resolve) => {
    const port = Number(url.port || 443);
    const servername = isIP(url.hostname) === 0 ? { servername: url.hostname } : {};
    const socket = connect({ host: url.hostname, port, rejectUnauthorized: false, ...servername });
    const settle = (certificate: PeerCertificate | null) => {
      socket.destroy();
      resolve(certificate);
    };
    socket.setTimeout(PEEK_MS, () => settle(null));
    socket.once('secureConnect', () => settle(socket.getPeerCertificate()));
    socket.once('error', () => settle(null));
  });
}

function describeCertificate({ subject, issuer, valid_from, valid_to }: PeerCertificate, now: Date): string {
  const by = [issuer?.O, issuer?.CN].flat().filter((part) => part !== undefined);
  const from = Date.parse(valid_from);
  const early = from > now.getTime() ? `is good from ${new Date(from).toISOString().slice(0, 10)} on, ` : '';
  const until = new Date(Date.parse(valid_to)).toISOString();
  const whose = [subject?.CN].flat()[0] ?? 'the server';
  return `certificate of ${whose} by ${by.join(' ') || 'nobody'}, ${early}expires ${when(until, now)}`;
}
