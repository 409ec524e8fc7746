import { z } from 'zod';
import { CommandsAnswer, CommandsQuery } from '../../schemas/console/command.ts';
import { TenantQuery } from '../../schemas/console/page.ts';
import { UploadQuery } from '../../schemas/console/run.ts';
import { Id, Timestamp } from '../../schemas/names.ts';
import { operation } from './operation.ts';

/** What operators ask about one agent: its commands, its runs as they go on, its files. */
const AgentParams = z.object({ id: z.string() });
const RunParams = AgentParams.extend({ run_id: z.string() });
const moment = Timestamp.nullable();

const UploadListed = z.object({
  upload_id: Id,
  agent_id: Id,
  tenant: z.string(),
  name: z.string(),
  size: z.int(),
  sha256: z.string(),
  kind: z.string(),
  run_id: z.string().nullable(),
  flow: z.string().nullable(),
  purpose: z.string().nullable(),
  created_at: Timestamp,
  completed_at: moment,
});

export const HAND_IN = operation({
  summary: 'Hand in a command that was signed elsewhere',
  tags: ['commands'],
  role: 'operator',
  params: AgentParams,
  query: TenantQuery,
  body: z.strictObject({ jws: z.string().min(1) }),
  bodyTypes: ['application/json', 'application/jose', 'text/plain'],
  answers: { 202: z.object({ command_id: Id, state: z.string(), connected: z.boolean() }) },
});
export const COMMANDS = operation({
  summary: 'Commands of an agent, newest first',
  tags: ['commands'],
  role: 'viewer',
  params: AgentParams,
  query: CommandsQuery,
  answers: { 200: CommandsAnswer },
});
export const PROGRESS = operation({
  summary: 'Runs that the agent told of through its tunnel',
  tags: ['runs'],
  role: 'viewer',
  params: AgentParams,
  query: TenantQuery.extend({ running: z.string().optional() }),
  answers: {
    200: z.object({
      runs: z.array(
        z.object({
          agent_id: Id,
          run_id: z.string(),
          attempt: z.int(),
          flow: z.string(),
          version: z.string().nullable(),
          state: z.string(),
          exit_code: z.int().nullable(),
          started_at: moment,
          finished_at: moment,
          updated_at: Timestamp,
        }),
      ),
    }),
  },
});
export const LOGS = operation({
  summary: 'Which streams of which attempts of a run are there',
  tags: ['runs'],
  role: 'viewer',
  params: RunParams,
  query: TenantQuery,
  answers: {
    200: z.object({
      logs: z.array(
        z.object({
          run_id: z.string(),
          attempt: z.int(),
          stream: z.enum(['stdout', 'stderr']),
          bytes: z.int(),
          updated_at: Timestamp,
        }),
      ),
    }),
  },
});
export const UPLOADS = operation({
  summary: 'Files that the agent has sent',
  tags: ['uploads'],
  role: 'viewer',
  params: AgentParams,
  query: TenantQuery,
  answers: { 200: z.object({ uploads: z.array(UploadListed) }) },
});
export const UPLOAD = operation({
  summary: 'The bytes of a file',
  tags: ['uploads'],
  role: 'viewer',
  params: AgentParams,
  query: UploadQuery,
  answers: {
    200: {
      description:
        'The bytes; a browser makes nothing of them, but of an image that is asked for with `show`.',
      type: 'application/octet-stream',
    },
  },
});
export const REMOVE_UPLOAD = operation({
  summary: 'Delete a file',
  tags: ['uploads'],
  role: 'operator',
  params: AgentParams,
  query: TenantQuery,
  answers: { 204: { description: 'Gone.' } },
});
