import { createHash } from 'node:crypto';
import { once } from 'node:events';
import type { WebSocket } from 'ws';
import type { EnrolAnswer } from '../../../schemas/enrolment.ts';
import type { Event, EventDraft } from '../../../schemas/event.ts';
import type { PrivateJwk } from '../../../schemas/jws.ts';
import type { RunReport } from '../../../schemas/run.ts';
import type { Status } from '../../../schemas/status.ts';
import { Ack, TunnelFrame } from '../../../schemas/tunnel-frame.ts';
import { UploadPlaces } from '../../../schemas/upload.ts';
import { formatUploadMetadata } from '../../../schemas/upload-metadata.ts';
import { newKey } from '../../../trust/ceremony/new-key.ts';
import { type SpeakingProcess, signRequestToken } from '../../../trust/request-token.ts';
import { publicPart } from '../../../trust/thumbprint.ts';
import { frame, hello, openSocket } from '../../console/tunnel-client.ts';

/** What a machine says of itself when it is enrolled. */
export interface DeviceFacts {
  readonly hostname: string;
  readonly os: string;
  readonly arch: string;
  readonly agentVersion: string;
}

/** A file that a run left, with its bytes. */
export interface LeftFile {
  readonly name: string;
  readonly bytes: Buffer;
}

/** One enrolled agent on the wire: a device key of its own, calls and frames as the contract has them (sections 7 and 8). */
export interface Device {
  readonly agentId: string;
  readonly tenant: string;
  status(document: Status): Promise<void>;
  /** Chained to those before, in one batch. */
  events(drafts: readonly (EventDraft & { readonly time: string })[]): Promise<void>;
  /** Sends the files too that the console gives a place. */
  notify(report: RunReport, files?: readonly LeftFile[]): Promise<void>;
  /** Opens the tunnel; `onCommand` gets the compact JWS of each command, which is acknowledged already. */
  connect(onCommand: (jws: string) => void): Promise<void>;
  readonly connected: boolean;
  /** Through the tunnel; resolves when the console has said that it will not be lost. Log frames are not acknowledged by id. */
  send(type: string, data: unknown): Promise<void>;
  disconnect(): Promise<void>;
  /** From now on a second machine with the same credentials sends every other status. */
  isCopied(): void;
}

export interface DevicePlace {
  readonly url: string;
  readonly now: () => Date;
}

const HEARTBEAT_MS = 15_000;
const ACK_WITHIN_MS = 20_000;

export async function enrolDevice(place: DevicePlace, token: string, facts: DeviceFacts): Promise<Device> {
  const jwk = newKey();
  const proof = await callerOf(place, jwk, jwk.kid)('POST', '/edge/enroll', {
    token,
    device_jwk: publicPart(jwk),
    hostname: facts.hostname,
    os: facts.os,
    arch: facts.arch,
    agent_version: facts.agentVersion,
  });
  const answer = (await proof.json()) as EnrolAnswer;
  return deviceOf(place, jwk, answer, speakerOf(facts));
}

/** The process and the machine that speak, as tokens name them. */
function speakerOf({ hostname, os }: DeviceFacts): SpeakingProcess {
  const of = (what: string) => createHash('sha256').update(`${what} ${hostname}`).digest('hex').slice(0, 32);
  return { boot: of('boot'), machine: of('machine'), host: hostname.slice(0, 255), os };
}

type Call = (
  method: string,
  path: string,
  body?: unknown,
  headers?: Record<string, string>,
) => Promise<Response>;

/** Calls with a fresh token each; throws on every answer that is not 2xx. */
function callerOf(place: DevicePlace, jwk: PrivateJwk, issuer: string, speaker?: SpeakingProcess): Call {
  return async (method, path, body, headers = {}) => {
    const url = new URL(path, place.url).href;
    const token = await signRequestToken({
      jwk,
      issuer,
      method,
      url,
      now: place.now(),
      ...(speaker && { speaker }),
    });
    const raw = Buffer.isBuffer(body);
    const response = await fetch(url, {
      method,
      headers: {
        authorization: `Bearer ${token}`,
        ...(body === undefined || raw ? {} : { 'content-type': 'application/json' }),
        ...headers,
      },
      ...(body === undefined ? {} : { body: raw ? new Uint8Array(body) : JSON.stringify(body) }),
    });
    if (response.ok) return response;
    throw new Error(`${method} ${url}: expected 2xx, found ${response.status}: ${await response.text()}`);
  };
}

function deviceOf(
  place: DevicePlace,
  jwk: PrivateJwk,
  answer: EnrolAnswer,
  speaker: SpeakingProcess,
): Device {
  const { agent_id: agentId, tenant } = answer;
  const call = callerOf(place, jwk, agentId, speaker);
  const copy = {
    ...speaker,
    boot: `${speaker.boot}-copy`,
    machine: 'f'.repeat(32),
    host: `${speaker.host} (2)`,
  };
  const callAsCopy = callerOf(place, jwk, agentId, copy);
  let turns: number | null = null;
  const self = { jwk, issuer: agentId, answer };
  const logId = createHash('sha256').update(`log ${agentId}`).digest('hex').slice(0, 32);
  const waiting = new Map<string, () => void>();
  let [seq, prev, sent] = [0, '0'.repeat(64), 0];
  let socket: WebSocket | null = null;
  let heartbeat: NodeJS.Timeout | undefined;

  const put = (type: string, data: unknown): string => {
    const id = `${agentId}.${(sent += 1)}`.slice(-64);
    socket?.send(frame(self, type, data, id));
    return id;
  };
  const received = (text: string, onCommand: (jws: string) => void) => {
    const { type, id, data } = TunnelFrame.parse(JSON.parse(text));
    if (type === 'edgeflows.command') {
      put('edgeflows.ack', { ids: [id] });
      onCommand(String(data));
    } else if (type === 'edgeflows.ack') {
      for (const each of Ack.parse(data).ids) waiting.get(each)?.();
    } else if (type === 'edgeflows.echo.request') put('edgeflows.echo.reply', data);
  };
  const upload = async (report: RunReport, file: LeftFile) => {
    const sha256 = createHash('sha256').update(file.bytes).digest('hex');
    const metadata = {
      name: file.name,
      sha256,
      kind: 'output',
      run_id: report.run_id,
      flow: report.flow,
    } as const;
    const made = await call('POST', '/edge/uploads', undefined, {
      'tus-resumable': '1.0.0',
      'upload-length': String(file.bytes.length),
      'upload-metadata': formatUploadMetadata({ ...metadata, purpose: null }),
    });
    await call('PATCH', new URL(made.headers.get('location') ?? '').pathname, file.bytes, {
      'tus-resumable': '1.0.0',
      'upload-offset': '0',
      'content-type': 'application/offset+octet-stream',
    });
  };

  const device: Device = {
    agentId,
    tenant,
    async status(document) {
      if (turns !== null) turns += 1;
      const speak = turns !== null && turns % 2 === 1 ? callAsCopy : call;
      await (await speak('POST', '/edge/status', document)).arrayBuffer();
    },
    async events(drafts) {
      if (drafts.length === 0) return;
      const events = drafts.map((draft): Event => {
        const event = { log_id: logId, seq: (seq += 1), ...draft, tenant, agent_id: agentId, prev };
        prev = createHash('sha256').update(JSON.stringify(event)).digest('hex');
        return event;
      });
      await (await call('POST', '/edge/events', { log_id: logId, events })).arrayBuffer();
    },
    async notify(report, files = []) {
      const key = `${report.run_id}.${report.attempt}`;
      const answered = await call('POST', '/edge/notify', report, { 'idempotency-key': key });
      const places = UploadPlaces.safeParse(await answered.json());
      const wanted = new Set(places.success ? places.data.uploads.map(({ name }) => name) : []);
      for (const file of files) if (wanted.has(file.name)) await upload(report, file);
    },
    async connect(onCommand) {
      const url = `${place.url}/edge/tunnel`;
      const token = await signRequestToken({ ...self, method: 'GET', url, now: place.now(), speaker });
      const opened = await openSocket(self, place.url, {
        token,
        onMessage: (data) => received(data.toString('utf8'), onCommand),
      });
      socket = opened;
      put('edgeflows.hello', hello(self, { boot_id: speaker.boot, log_id: logId, next_seq: seq + 1 }));
      heartbeat = setInterval(() => put('edgeflows.heartbeat', {}), HEARTBEAT_MS).unref();
      opened.once('close', () => {
        clearInterval(heartbeat);
        if (socket === opened) socket = null;
      });
    },
    get connected() {
      return socket !== null;
    },
    async send(type, data) {
      const id = put(type, data);
      if (type === 'edgeflows.run.log') return;
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const late = new Error(
        `expected the console to acknowledge ${type} of ${agentId}, found no word of it`,
      );
      const timer = setTimeout(() => reject(late), ACK_WITHIN_MS);
      waiting.set(id, resolve);
      try {
        await promise;
      } finally {
        clearTimeout(timer);
        waiting.delete(id);
      }
    },
    async disconnect() {
      const open = socket;
      if (open === null) return;
      const closed = once(open, 'close');
      open.close(1000);
      await closed;
    },
    isCopied() {
      turns ??= 0;
    },
  };
  return device;
}
