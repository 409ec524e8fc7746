import { basename } from 'node:path';
import type { Clock, EventSink, QueuedReport, ReportQueue } from '../reconciler/ports.ts';
import {
  UPLOAD_REQUEST_FILE,
  type UploadFileJob,
  UploadJob,
  UploadName,
  type UploadState,
} from '../schemas/upload.ts';
import { UPLOADS_MAX, type UploadOptions } from '../sinks/outbox.ts';
import { aboutRun, type UploadRefused } from '../sinks/upload-sender.ts';
import type { OtherTenants } from '../store/other-tenants.ts';
import type { Log } from '../system/log.ts';
import { readRange } from '../system/regular-file.ts';
import { createUploadFiles, digestOf, refused, type UploadSettings } from './upload-files.ts';
import { readUploadRequest } from './upload-request.ts';
import { createUploadRules, placesIn, uploadId } from './upload-rules.ts';
import { notQueued, stateOf } from './upload-state.ts';

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
  /** Their copies lie beside those of this tenant. */
  readonly others: Pick<OtherTenants, 'awaitsUpload'>;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly log: Log;
  /** Something new is in the queue; `asked` by a person, who does not wait for a backoff. */
  readonly queued: (asked: boolean) => void;
}): Uploads {
  const { settings, queue, others, events, clock, log } = options;
  const files = createUploadFiles(settings);
  const rules = createUploadRules(settings);
  /** Bytes known to have arrived, of what is under way. */
  const sending = new Map<string, number>();

  const room = () => UPLOADS_MAX - queue.overview({ kind: 'upload', limit: UPLOADS_MAX }).length;
  const full = () =>
    refused(
      'queue_full',
      `expected at most ${UPLOADS_MAX} files to wait, found as many; "edge-agent retry --list" shows them`,
    );

  const tell = (job: { run_id: string | null; flow: string | null }, message: string) => {
    events.emit({ severity: 'warning', reason: 'FileUploadRefused', message, ...aboutRun(job) });
  };

  const isAwaited = (id: string) => queue.find('upload', `file/${id}`) !== null || others.awaitsUpload(id);

  const enqueue = (job: UploadFileJob, asked = false) => {
    const key = `file/${job.upload_id}`;
    const before = queue.find('upload', key);
    // Asked for again: what was refused is tried anew, and what waits need not wait for a person.
    if (before !== null && (asked || before.parked !== null)) queue.delivered(before.id);
    queue.add({ kind: 'upload', key, body: job, at: clock.now() });
    options.queued(asked);
  };

  const addDocument = async (wish: Wish, signal: AbortSignal): Promise<UploadFileJob | UploadRefused> => {
    const no = rules.disabled() ?? (room() <= 0 ? full() : null);
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

  const consent: Uploads['consent'] = {
    offered(report, answer) {
      const places = placesIn(answer);
      if (places.length === 0) return;
      if (rules.disabled() !== null) {
        // No event: consent is off by default, and a console asks for the outputs of every run.
        log.debug('The console wants outputs; uploads.enabled is false', { run_id: report.run_id });
        return;
      }
      const kept: UploadRefused[] = [];
      let free = room();
      queue.together(() => {
        for (const { name, upload_url: place } of places) {
          const judged = rules.judge(report, name, place);
          if (judged.kind === 'refused') kept.push(judged);
          else if (free <= 0) kept.push(full());
          else {
            enqueue(judged);
            free -= 1;
          }
        }
      });
      const [first] = kept;
      if (first === undefined) return;
      const others = kept.length === 1 ? '' : ` (and ${kept.length - 1} more)`;
      tell(
        report,
        `An output of run ${report.run_id} is kept back: ${first.code}: ${first.message}${others}`,
      );
    },
    async open(job, signal) {
      const no = rules.disabled() ?? rules.overSize(job.name, job.size);
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
      const no = rules.disabled();
      if (no !== null) return no;
      const read = await readUploadRequest(files, job);
      if (read.kind === 'refused') return read;
      for (const { path, name = null, purpose = null } of read.uploads) {
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
      // It may have been asked for again while it was on its way.
      if (job.kind !== 'document' || isAwaited(job.upload_id)) return;
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
          states.push(stateOf(added, queue.find('upload', `file/${added.upload_id}`), null));
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
        return stateOf(row.body as UploadFileJob, row, sending.get(state.upload_id) ?? null);
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
      await files.tidy(isAwaited);
    },
  };
}
