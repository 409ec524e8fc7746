import { createHash } from 'node:crypto';
import { basename } from 'node:path';
import type { Clock, EventSink, QueuedReport, ReportQueue } from '../reconciler/ports.ts';
import type { RunReport } from '../schemas/run.ts';
import {
  UPLOAD_REQUEST_FILE,
  UPLOAD_REQUEST_MAX_BYTES,
  type UploadFileJob,
  UploadJob,
  UploadName,
  UploadPlaces,
  UploadRequestFile,
  type UploadState,
} from '../schemas/upload.ts';
import { UPLOADS_MAX, type UploadOptions } from '../sinks/outbox.ts';
import { isUploadPlace } from '../sinks/upload-place.ts';
import { aboutRun, type UploadRefused } from '../sinks/upload-sender.ts';
import { parseJson } from '../system/json-document.ts';
import type { Log } from '../system/log.ts';
import { readRange } from '../system/regular-file.ts';
import { createUploadFiles, digestOf, refused, type UploadSettings } from './upload-files.ts';

/** Who sends a local document. */
interface Wish {
  readonly path: string;
  readonly name: string | null;
  readonly purpose: string | null;
  readonly by: string;
  readonly of: { readonly run_id: string; readonly flow: string } | null;
}

/** What may leave this machine as a file, and what waits to (docs/spec/file-upload.md). */
export interface Uploads {
  readonly consent: UploadOptions['consent'];
  /** What a person asks to send: each queued, or refused and why. */
  add(paths: readonly string[], note: string | null, by: string, signal: AbortSignal): Promise<UploadState[]>;
  /** How it stands with files that were added. One that waits no more has arrived. */
  states(known: readonly UploadState[]): UploadState[];
  /** Whether there is somebody to send to. */
  hasConsole(): boolean;
  /** Runs whose folders are still needed. */
  waitingRuns(): Set<string>;
  /** Gives up what was refused and queued before `before`; how many. */
  prune(before: Date): number;
  /** Removes copies that nobody waits for. */
  tidy(): Promise<void>;
}

export function createUploads(options: {
  readonly settings: () => UploadSettings;
  readonly queue: ReportQueue;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly log: Log;
  /** Something new is in the queue; `asked` by a person, who does not wait for a backoff. */
  readonly queued: (asked: boolean) => void;
}): Uploads {
  const { settings, queue, events, clock, log } = options;
  const files = createUploadFiles(settings);
  /** Bytes known to have arrived, of what is under way. */
  const sending = new Map<string, number>();
  let saidDisabled = false;

  const disabled = (): UploadRefused | null =>
    settings().config.uploads.enabled
      ? null
      : refused(
          'uploads_disabled',
          'expected uploads.enabled: true in agent.yaml, found false: no file leaves this machine',
        );
  const overSize = (name: string, size: number): UploadRefused | null => {
    const { max_bytes: most } = settings().config.uploads;
    if (size <= most) return null;
    return refused(
      'file_too_large',
      `${name}: expected at most ${most} bytes (uploads.max_bytes), found ${size}`,
    );
  };
  const room = () => UPLOADS_MAX - queue.overview({ kind: 'upload', limit: UPLOADS_MAX }).length;
  const full = () =>
    refused(
      'queue_full',
      `expected at most ${UPLOADS_MAX} files to wait, found as many; "edge-agent retry --list" shows them`,
    );

  const tell = (job: { run_id: string | null; flow: string | null }, message: string) => {
    events.emit({ severity: 'warning', reason: 'FileUploadRefused', message, ...aboutRun(job) });
  };

  const enqueue = (job: UploadFileJob, asked = false) => {
    const key = `file/${job.upload_id}`;
    const before = queue.find('upload', key);
    // Asked for again: what was refused is tried anew, and what waits need not wait for a person.
    if (before !== null && (asked || before.parked !== null)) queue.delivered(before.id);
    queue.add({ kind: 'upload', key, body: job, at: clock.now() });
    options.queued(asked);
  };

  const addDocument = async (wish: Wish, signal: AbortSignal): Promise<UploadFileJob | UploadRefused> => {
    const no = disabled() ?? (room() <= 0 ? full() : null);
    if (no !== null) return no;
    const name = wish.name ?? basename(wish.path);
    if (!UploadName.safeParse(name).success)
      return refused('request_invalid', 'expected a file name of at most 1024 printable characters');
    const file = await files.document(wish.path, wish.of === null ? 'person' : 'flow');
    if (file.kind === 'refused') return file;
    try {
      const run_id = wish.of?.run_id ?? null;
      const idOf = (sha256: string) => uploadId('document', sha256, name, run_id);
      const kept = await files.keep(file, idOf, signal);
      if (kept.kind === 'refused') return kept;
      const { uploadId: upload_id, size, sha256 } = kept;
      const job: UploadFileJob = {
        kind: 'document',
        upload_id,
        name,
        size,
        sha256,
        run_id,
        flow: wish.of?.flow ?? null,
        purpose: wish.purpose,
        origin: file.real,
        by: wish.by,
      };
      enqueue(job, wish.of === null);
      return job;
    } finally {
      await file.handle.close();
    }
  };

  const stateOf = (job: UploadFileJob, row: Omit<QueuedReport, 'body'> | null): UploadState => {
    const sent = sending.get(job.upload_id);
    const [, code = null, message = null] = /^(\w+): (.*)$/s.exec(row?.parked ?? '') ?? [];
    return {
      upload_id: job.upload_id,
      name: job.name,
      path: job.kind === 'document' ? job.origin : null,
      kind: job.kind,
      size: job.size,
      sha256: job.sha256,
      run_id: job.run_id,
      state:
        row === null
          ? 'uploaded'
          : row.parked !== null
            ? 'refused'
            : sent === undefined
              ? 'waiting'
              : 'sending',
      sent: row === null ? job.size : (sent ?? 0),
      attempts: row?.attempts ?? 0,
      code,
      message: message ?? row?.last_error ?? null,
    };
  };

  const consent: Uploads['consent'] = {
    offered(report, answer) {
      const places = placesIn(answer);
      if (places.length === 0) return;
      if (disabled() !== null) {
        log.debug('The console wants outputs; uploads.enabled is false', { run_id: report.run_id });
        // Once: a console asks for the outputs of every run.
        if (!saidDisabled)
          tell(report, 'The console wants the outputs of runs, and uploads.enabled is false');
        saidDisabled = true;
        return;
      }
      const kept: UploadRefused[] = [];
      let free = room();
      for (const { name, upload_url: place } of places) {
        const judged = judgeOffer(report, name, place);
        if (judged.kind === 'refused') kept.push(judged);
        else if (free <= 0) kept.push(full());
        else {
          enqueue(judged);
          free -= 1;
        }
      }
      const [first] = kept;
      if (first === undefined) return;
      const others = kept.length === 1 ? '' : ` (and ${kept.length - 1} more)`;
      tell(
        report,
        `An output of run ${report.run_id} is kept back: ${first.code}: ${first.message}${others}`,
      );
    },
    async open(job, signal) {
      const no = disabled() ?? overSize(job.name, job.size);
      if (no !== null) return no;
      if (job.kind === 'document' && !(await files.covers(job.origin))) {
        const message = `${job.origin}: expected uploads.paths to cover it still, found that they do not`;
        return refused('path_not_allowed', message);
      }
      const file =
        job.kind === 'output'
          ? await files.output(job.run_id as string, job.attempt, job.name)
          : await files.copy(job.upload_id);
      if (file.kind === 'refused') return file;
      const { handle } = file;
      try {
        const found = file.size === job.size ? await digestOf(file, signal) : null;
        if (found !== job.sha256) {
          await handle.close();
          const is = found === null ? `${file.size} bytes` : `SHA-256 ${found.slice(0, 12)}`;
          return refused(
            'file_changed',
            `${job.name}: expected ${job.size} bytes of SHA-256 ${job.sha256.slice(0, 12)}, found ${is}: it was changed since`,
          );
        }
      } catch (error) {
        await handle.close();
        throw error;
      }
      const chunks = (from: number, to: number) => readRange(handle, from, to);
      return { kind: 'open', file: { size: job.size, chunks, close: () => handle.close() } };
    },
    async expand(job, signal) {
      const no = disabled();
      if (no !== null) return no;
      const read = await readRequest(job);
      if (read.kind === 'refused') return read;
      for (const { path, name = null, purpose = null } of read.request.uploads) {
        const wish = { path, name, purpose, by: `flow ${job.flow}`, of: job };
        const added = await addDocument(wish, signal);
        if (added.kind !== 'refused') continue;
        tell(
          job,
          `A document that flow ${job.flow} wants to send is kept back: ${added.code}: ${added.message}`,
        );
      }
      return { kind: 'expanded' };
    },
    progress(id, sent) {
      if (sent === null) sending.delete(id);
      else sending.set(id, sent);
    },
    forget(job) {
      if (job.kind !== 'document') return;
      files
        .forget(job.upload_id)
        .catch((error: unknown) => log.warn('A sent copy could not be removed', { error }));
    },
    tellRefused(job, reason) {
      const what =
        job.kind === 'request'
          ? `${UPLOAD_REQUEST_FILE} of run ${job.run_id}`
          : `${job.kind} ${job.name}${job.run_id === null ? '' : ` of run ${job.run_id}`}`;
      tell(job, `${what} is kept back: ${reason}; \`edge-agent retry\` tries it again`);
    },
  };

  const judgeOffer = (report: RunReport, name: string, place: string): UploadFileJob | UploadRefused => {
    const output = report.outputs.find((each) => each.name === name);
    if (output === undefined || !UploadName.safeParse(name).success)
      return refused(
        'output_unknown',
        `expected the name of an output, found ${JSON.stringify(name.slice(0, 80))}`,
      );
    const { saas_url: saasUrl } = settings().config;
    if (saasUrl === undefined || !URL.canParse(place) || !isUploadPlace(new URL(place), saasUrl)) {
      const found = URL.canParse(place) ? new URL(place).origin : 'no URL';
      return refused('place_not_allowed', `${name}: expected a place below saas_url, found one on ${found}`);
    }
    const no = overSize(name, output.size);
    if (no !== null) return no;
    const { run_id, attempt, flow } = report;
    const upload_id = uploadId('output', output.sha256, name, run_id);
    return { kind: 'output', upload_id, ...output, run_id, flow, purpose: null, attempt, place };
  };

  const readRequest = async (
    job: Extract<UploadJob, { kind: 'request' }>,
  ): Promise<{ kind: 'read'; request: UploadRequestFile } | UploadRefused> => {
    const file = await files.output(job.run_id, job.attempt, UPLOAD_REQUEST_FILE);
    if (file.kind === 'refused') return file;
    try {
      if (file.size > UPLOAD_REQUEST_MAX_BYTES) {
        const message = `${UPLOAD_REQUEST_FILE}: expected at most ${UPLOAD_REQUEST_MAX_BYTES} bytes, found ${file.size}`;
        return refused('request_invalid', message);
      }
      const chunks: Uint8Array[] = [];
      for await (const chunk of readRange(file.handle, 0, file.size)) chunks.push(chunk);
      const parsed = parseJson(Buffer.concat(chunks), UploadRequestFile, {
        maxBytes: UPLOAD_REQUEST_MAX_BYTES,
      });
      if (parsed.kind === 'valid') return { kind: 'read', request: parsed.value };
      const [problem] = parsed.problems;
      const message = `${UPLOAD_REQUEST_FILE}:${problem?.line}:${problem?.column}: expected ${problem?.expected}, found ${problem?.found}`;
      return refused('request_invalid', message);
    } finally {
      await file.handle.close();
    }
  };

  const waiting = (): { row: Omit<QueuedReport, 'body'>; job: UploadJob }[] =>
    queue.overview({ kind: 'upload', limit: 2 * UPLOADS_MAX }).flatMap((row) => {
      const job = UploadJob.safeParse(queue.find('upload', row.key)?.body);
      return job.success ? [{ row, job: job.data }] : [];
    });

  return {
    consent,
    async add(paths, note, by, signal) {
      const states: UploadState[] = [];
      for (const path of paths) {
        const added = await addDocument({ path, name: null, purpose: note, by, of: null }, signal);
        if (added.kind === 'refused') {
          tell(
            { run_id: null, flow: null },
            `A document that ${by} wants to send is kept back: ${added.code}: ${added.message}`,
          );
          states.push(notQueued(path, added));
        } else {
          states.push(stateOf(added, queue.find('upload', `file/${added.upload_id}`)));
        }
      }
      return states;
    },
    states: (known) =>
      known.map((state) => {
        if (state.upload_id === null) return state;
        const row = queue.find('upload', `file/${state.upload_id}`);
        if (row === null)
          return { ...state, state: 'uploaded', sent: state.size ?? 0, code: null, message: null };
        return stateOf(row.body as UploadFileJob, row);
      }),
    hasConsole: () => {
      const { saas_url: saasUrl, agent_id: agentId } = settings().config;
      return saasUrl !== undefined && agentId !== undefined;
    },
    waitingRuns: () =>
      new Set(waiting().flatMap(({ job }) => (job.kind === 'document' ? [] : [job.run_id as string]))),
    prune(before) {
      const old = waiting().filter(
        ({ row }) => row.parked !== null && Date.parse(row.created_at) < before.getTime(),
      );
      for (const { row, job } of old) {
        queue.delivered(row.id);
        consent.forget(job);
        log.info('A file that was refused is given up', { key: row.key, reason: row.parked });
      }
      return old.length;
    },
    async tidy() {
      await files.tidy((id) => queue.find('upload', `file/${id}`) !== null);
    },
  };
}

/** The same bytes under the same name for the same run are one upload, however often they are asked for. */
function uploadId(kind: string, sha256: string, name: string, runId: string | null): string {
  return createHash('sha256')
    .update(JSON.stringify([kind, sha256, name, runId]))
    .digest('hex')
    .slice(0, 32);
}

function placesIn(answer: string): UploadPlaces['uploads'] {
  if (!answer.includes('"uploads"')) return [];
  try {
    return UploadPlaces.safeParse(JSON.parse(answer)).data?.uploads ?? [];
  } catch {
    return [];
  }
}

function notQueued(path: string, { code, message }: UploadRefused): UploadState {
  return {
    upload_id: null,
    name: basename(path),
    path,
    kind: 'document',
    size: null,
    sha256: null,
    run_id: null,
    state: 'refused',
    sent: 0,
    attempts: 0,
    code,
    message,
  };
}
