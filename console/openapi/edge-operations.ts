import { z } from 'zod';
import { EnrolAnswer, EnrolRequest } from '../../schemas/enrolment.ts';
import { RunReport } from '../../schemas/run.ts';
import { Status } from '../../schemas/status.ts';
import { ReceivedBatch } from '../event-history.ts';
import { operation } from './operation.ts';

/** What agents call, word for word in the contract: the document has it, the handlers read it in their own way. */
const tags = ['agents themselves'] as const;

export const BRANCH_EXISTS = operation({
  summary: 'Whether anything was published for a tenant',
  tags,
  role: 'anybody',
  query: z.object({ name: z.string().describe('tenant/<slug>') }),
  answers: { 200: z.object({ exists: z.literal(true) }) },
});
export const ENROL = operation({
  summary: 'A token and a device key become an agent',
  tags,
  role: 'anybody',
  body: EnrolRequest,
  answers: { 201: EnrolAnswer },
});
export const NOTIFY = operation({
  summary: 'Report a run that has ended',
  tags,
  role: 'agent',
  headers: { 'Idempotency-Key': '<run_id>.<attempt>' },
  body: RunReport,
  answers: {
    200: z.looseObject({ stored: z.literal(false) }),
    201: z.looseObject({ stored: z.literal(true) }),
  },
});
export const STATUS = operation({
  summary: 'Report how the agent stands',
  tags,
  role: 'agent',
  body: Status,
  answers: { 200: z.looseObject({ stored: z.literal(true), rotate_key: z.literal(true).optional() }) },
});
export const EVENTS = operation({
  summary: 'Report events of one log, gap-free and chained',
  tags,
  role: 'agent',
  body: ReceivedBatch,
  answers: { 200: z.object({ next_seq: z.int() }) },
});
export const TUNNEL = operation({
  summary: 'The upgrade to the tunnel, a WebSocket',
  tags,
  role: 'agent',
  answers: { 101: { description: 'The tunnel. Without an upgrade: 426.' } },
});

const TUS = { 'Tus-Resumable': '1.0.0' };
const STANDING = { 'Upload-Offset': 'Bytes that are there.', 'Upload-Length': 'Bytes there will be.' };

export const UPLOAD_OPTIONS = operation({
  summary: 'What the console takes of tus 1.0.0',
  tags,
  role: 'anybody',
  answers: { 204: { description: 'In the headers.', headers: { 'Tus-Version': '1.0.0' } } },
});
export const UPLOAD_CREATE = operation({
  summary: 'Begin to send a file, or find the one that was begun',
  tags,
  role: 'agent',
  headers: {
    ...TUS,
    'Upload-Length': 'Bytes.',
    'Upload-Metadata': 'name, sha256, kind, …; values in base64.',
  },
  answers: {
    200: { description: 'It was begun before.', headers: { Location: 'Where to send it.', ...STANDING } },
    201: { description: 'Begun.', headers: { Location: 'Where to send it.', ...STANDING } },
  },
});
export const UPLOAD_STANDING = operation({
  summary: 'How much of a file is there',
  tags,
  role: 'agent',
  headers: TUS,
  answers: { 200: { description: 'In the headers.', headers: STANDING } },
});
export const UPLOAD_APPEND = operation({
  summary: 'Send more of a file',
  tags,
  role: 'agent',
  headers: { ...TUS, 'Upload-Offset': 'Where these bytes begin.' },
  body: z.string(),
  bodyTypes: ['application/offset+octet-stream'],
  answers: { 204: { description: 'Taken.', headers: STANDING } },
});
