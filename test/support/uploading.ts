import { mkdirSync } from 'node:fs';
import type { AddressInfo } from 'node:net';
import { connect, createServer, type Socket } from 'node:net';
import path from 'node:path';
import { agentPaths } from '../../agent/paths.ts';
import { createUploads, type Uploads } from '../../agent/uploads.ts';
import type { Clock } from '../../reconciler/ports.ts';
import { AgentConfig, type AgentConfigInput } from '../../schemas/agent-config.ts';
import { createUploadCall } from '../../sinks/upload-call.ts';
import { createSystemClock } from '../../system/clock.ts';
import { signRequestToken } from '../../trust/request-token.ts';
import type { Caller } from '../console/running-console.ts';
import { openReporting, type Reporting } from './reporting.ts';

export interface Uploading extends Reporting {
  readonly uploads: Uploads;
  /** `.agent/runs/<run_id>/1/output`, made. */
  outputFolder(runId: string): string;
  /** What agent.yaml says of uploads, and of the tunnel, from now on. */
  consent(uploads: NonNullable<AgentConfigInput['uploads']>, tunnel?: AgentConfigInput['tunnel']): void;
  readonly folder: string;
}

/** The reporting side of an enrolled agent with its uploads, on a folder, as the agent wires it. */
export function openUploading(options: {
  folder: string;
  caller: Caller;
  saasUrl: string;
  clock?: Clock;
  pieceBytes?: number;
  uploads?: NonNullable<AgentConfigInput['uploads']>;
}): Uploading {
  const { folder, caller, saasUrl, clock = createSystemClock() } = options;
  const configOf = (uploads: AgentConfigInput['uploads'], tunnel?: AgentConfigInput['tunnel']) =>
    AgentConfig.parse({
      version: 1,
      tenant: 'acme',
      agent_id: caller.issuer,
      saas_url: saasUrl,
      edge_cache_dir: path.join(folder, 'EdgeFlows'),
      source: { url: 'https://git.example/acme.git' },
      uploads,
      ...(tunnel === undefined ? {} : { tunnel }),
    });
  let config = configOf(options.uploads ?? { enabled: true, paths: ['documents'] });
  const paths = agentPaths(config, path.join(folder, 'agent.yaml'));
  for (const made of [paths.state, paths.credentials, path.join(folder, 'documents')])
    mkdirSync(made, { recursive: true, mode: 0o700 });
  const authorize = async (method: string, url: URL) =>
    `Bearer ${await signRequestToken({ ...caller, method, url: url.href, now: new Date() })}`;
  let uploads: Uploads | undefined;
  const reporting = openReporting({
    directory: paths.state,
    origin: saasUrl,
    clock,
    authorize,
    uploads({ queue, events, client, log, queued }) {
      const settings = () => ({ config, paths });
      const others = { awaitsUpload: () => false };
      uploads = createUploads({ settings, queue, others, events, clock, log, queued });
      const call = createUploadCall({ client, authorize, clock });
      const { consent } = uploads;
      const pieceBytes = options.pieceBytes ?? 64 * 1_024;
      return { consent, target: () => ({ call, saasUrl }), pieceBytes, stumbleMs: 10 };
    },
  });
  return {
    ...reporting,
    uploads: uploads as Uploads,
    folder,
    outputFolder(runId) {
      const made = path.join(paths.runs, runId, '1', 'output');
      mkdirSync(made, { recursive: true });
      return made;
    },
    consent(changed, tunnel) {
      config = configOf(changed, tunnel);
    },
  };
}

export interface Relay {
  readonly origin: string;
  /** Where connections go from now on. */
  to(port: number): void;
  /** Each of the next connections that sends so many bytes is cut there; then none is. */
  cutAfter(...bytes: number[]): void;
  /** The next connection that sends so many bytes hangs there; resolves when one does. */
  hangAfter(bytes: number): Promise<void>;
  /** Bytes sent by the agent's side. */
  sent(): number;
  [Symbol.asyncDispose](): Promise<void>;
}

/** A TCP relay on loopback that cuts connections when it is told to. */
export async function startRelay(): Promise<Relay> {
  const sockets = new Set<Socket>();
  let cuts: number[] = [];
  let hang: { readonly bytes: number; readonly reached: () => void } | null = null;
  let port = 0;
  let sent = 0;
  const server = createServer((near) => {
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => {});
      socket.once('close', () => {
        sockets.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    let here = 0;
    near.on('data', (chunk: Buffer) => {
      const limit = hang?.bytes ?? cuts[0];
      const room = limit === undefined ? chunk.length : Math.max(0, limit - here);
      far.write(chunk.subarray(0, room));
      here += Math.min(room, chunk.length);
      sent += Math.min(room, chunk.length);
      if (room >= chunk.length) return;
      near.pause();
      if (hang !== null) {
        hang.reached();
        hang = null;
        return;
      }
      cuts = cuts.slice(1);
      // What was let through is to arrive.
      setTimeout(() => near.destroy(), 30);
    });
    far.pipe(near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    to(next) {
      port = next;
    },
    cutAfter(...bytes) {
      cuts = bytes;
    },
    async hangAfter(bytes) {
      return new Promise((reached) => {
        hang = { bytes, reached };
      });
    },
    sent: () => sent,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** A port nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}
