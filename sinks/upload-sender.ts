import type { Clock, EventSink, QueuedReport } from '../reconciler/ports.ts';
import type { UploadRefusalCode } from '../schemas/reasons.ts';
import { UPLOADS_PATH, type UploadFileJob, UploadJob } from '../schemas/upload.ts';
import type { UploadMetadata } from '../schemas/upload-metadata.ts';
import type { Delivery, ReportSender } from './delivery.ts';
import type { UploadCall } from './upload-call.ts';
import { isUploadPlace } from './upload-place.ts';
import { type OpenUpload, transferFile } from './upload-transfer.ts';

export interface UploadRefused {
  readonly kind: 'refused';
  readonly code: UploadRefusalCode;
  readonly message: string;
}

/** What may be sent, and the bytes of it: agent/uploads.ts. Asked again before every attempt, because consent can be withdrawn. */
export interface UploadConsent {
  /** The file, its digest checked; the caller closes it. Rejects only when the signal is aborted. */
  open(
    job: UploadFileJob,
    signal: AbortSignal,
  ): Promise<
    { readonly kind: 'open'; readonly file: OpenUpload & { close(): Promise<void> } } | UploadRefused
  >;
  /** Reads a flow's `edge-uploads.json` and queues what may be sent; says what may not. */
  expand(
    job: Extract<UploadJob, { kind: 'request' }>,
    signal: AbortSignal,
  ): Promise<{ readonly kind: 'expanded' } | UploadRefused>;
  /** So many bytes are known to have arrived; null: nothing is under way. */
  progress(uploadId: string, sent: number | null): void;
}

/** After so many whole transfers with a wrong digest at the other end it is a person's turn. */
const MISMATCHES_MAX = 3;

/** The lane of files (docs/spec/file-upload.md). A parked row begins with its code: `file_changed: expected …`. */
export function createUploadSender(options: {
  readonly consent: UploadConsent;
  /** Null while there is nobody to send to. */
  readonly target: () => { readonly call: UploadCall; readonly saasUrl: string } | null;
  readonly events: EventSink;
  readonly clock: Clock;
  readonly pieceBytes?: number;
  readonly stumbleMs?: number;
}): ReportSender {
  const { consent, target, events, clock } = options;

  const sendFile = async (
    job: UploadFileJob,
    report: QueuedReport,
    { call, saasUrl }: NonNullable<ReturnType<typeof target>>,
    signal: AbortSignal,
  ): Promise<Delivery> => {
    const allows = (url: URL) => isUploadPlace(url, saasUrl);
    const place = job.kind === 'output' ? new URL(job.place) : null;
    if (place !== null && !allows(place)) {
      const message = `expected a place below ${saasUrl}, found one on ${place.origin}`;
      return parked({ kind: 'refused', code: 'place_not_allowed', message });
    }
    const opened = await consent.open(job, signal);
    if (opened.kind === 'refused') return parked(opened);
    try {
      const collection = new URL(saasUrl.replace(/\/+$/, '') + UPLOADS_PATH);
      const sent = await transferFile(
        {
          call,
          collection,
          place: place === null || place.pathname === collection.pathname ? null : place,
          allows,
          metadata: metadataOf(job),
          file: opened.file,
          clock,
          onProgress: (bytes) => consent.progress(job.upload_id, bytes),
          ...(options.pieceBytes === undefined ? {} : { pieceBytes: options.pieceBytes }),
          ...(options.stumbleMs === undefined ? {} : { stumbleMs: options.stumbleMs }),
        },
        signal,
      );
      switch (sent.kind) {
        case 'stored':
          tellStored(job);
          return { kind: 'delivered' };
        case 'again':
          return sent;
        case 'mismatch':
          // Changed while it was read, or on the way: the next attempt hashes it first.
          if (report.attempts + 1 < MISMATCHES_MAX)
            return { kind: 'again', message: sent.message, retryAfterMs: null };
          return parked({ kind: 'refused', code: 'refused_by_console', message: sent.message });
        case 'refused':
          return parked({ kind: 'refused', code: 'refused_by_console', message: sent.message });
      }
    } finally {
      consent.progress(job.upload_id, null);
      await opened.file.close();
    }
  };

  const tellStored = (job: UploadFileJob) => {
    const of = job.kind === 'output' ? `output ${job.name} of run ${job.run_id}` : `document ${job.name}`;
    events.emit({
      severity: 'info',
      reason: 'FileUploaded',
      message: `${of} (${job.size} bytes, SHA-256 ${job.sha256.slice(0, 12)}) is at the console`,
      ...aboutRun(job),
    });
  };

  return {
    kind: 'upload',
    describe: (report) => `the upload ${report.key}`,
    async send(report, _post, signal) {
      const parsed = UploadJob.safeParse(report.body);
      if (!parsed.success) {
        const message = 'expected a row of this agent’s queue of uploads, found another';
        return parked({ kind: 'refused', code: 'request_invalid', message });
      }
      if (parsed.data.kind === 'request') {
        const expanded = await consent.expand(parsed.data, signal);
        return expanded.kind === 'refused' ? parked(expanded) : { kind: 'delivered' };
      }
      const to = target();
      if (to === null)
        return { kind: 'again', message: 'there is no console to send to', retryAfterMs: null };
      return sendFile(parsed.data, report, to, signal);
    },
  };
}

/** For an event: whose run it is, when it is one's. */
export function aboutRun(job: { readonly run_id: string | null; readonly flow: string | null }): {
  run_id?: string;
  flow?: string;
} {
  return {
    ...(job.run_id === null ? {} : { run_id: job.run_id }),
    ...(job.flow === null ? {} : { flow: job.flow }),
  };
}

function parked({ code, message }: UploadRefused): Delivery {
  return { kind: 'parked', message: `${code}: ${message}` };
}

function metadataOf({ name, sha256, kind, run_id, flow, purpose }: UploadFileJob): UploadMetadata {
  return { name, sha256, kind, run_id, flow, purpose };
}
