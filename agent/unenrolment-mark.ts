import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import type { AgentConfig } from '../schemas/agent-config.ts';
import { parseJson } from '../system/json-document.ts';
import { readSmallFile } from '../system/small-file.ts';
import { writeGiven } from './key-files.ts';
import { OperationError } from './operation-error.ts';

const UNENROLMENT_MARK = 'unenrolled.json';
const MAX_BYTES = 4_096;

/**
 * `credentials_dir/unenrolled.json`: this machine was an agent and is none any more. `leaving`: the console has heard it, or
 * need not, and what is to be removed may be there still.
 */
const UnenrolmentMark = z.object({
  format: z.literal(1),
  agent_id: z.string(),
  tenant: z.string(),
  at: z.string(),
  stage: z.enum(['leaving', 'left']),
});
export type UnenrolmentMark = z.infer<typeof UnenrolmentMark>;

/** Null where there is none that counts: an agent that was enrolled again since has another id. */
export async function unenrolmentMark(
  credentialsDir: string,
  config: Pick<AgentConfig, 'agent_id'>,
): Promise<UnenrolmentMark | null> {
  const file = await readSmallFile(join(credentialsDir, UNENROLMENT_MARK), MAX_BYTES).catch(() => null);
  if (file?.kind !== 'read') return null;
  const parsed = parseJson(Buffer.from(file.bytes).toString('utf8'), UnenrolmentMark, {
    maxBytes: MAX_BYTES,
  });
  if (parsed.kind === 'invalid') return null;
  const counts = config.agent_id === undefined || config.agent_id === parsed.value.agent_id;
  return counts ? parsed.value : null;
}

export async function markUnenrolled(
  credentialsDir: string,
  mark: Omit<UnenrolmentMark, 'format'>,
): Promise<void> {
  const text = `${JSON.stringify({ format: 1, ...mark }, null, 2)}\n`;
  await writeGiven(join(credentialsDir, UNENROLMENT_MARK), text, 0o600);
}

export async function forgetUnenrolment(credentialsDir: string): Promise<void> {
  await rm(join(credentialsDir, UNENROLMENT_MARK), { force: true });
}

/** Throws `not_enrolled` (exit 4) when this machine has left its console and nobody has enrolled it again. */
export async function expectEnrolled(credentialsDir: string, config: AgentConfig): Promise<void> {
  if (config.saas_url === undefined) return;
  const mark = await unenrolmentMark(credentialsDir, config);
  if (mark === null) return;
  const rest = mark.stage === 'left' ? '' : 'finish that with "edge-agent unenroll"; ';
  throw new OperationError(
    'not_enrolled',
    `expected an enrolled machine, found one that was unenrolled at ${mark.at} (it was agent ${mark.agent_id} of ${mark.tenant}); ${rest}enrol it with a new token: edge-agent enroll`,
    { exitCode: 4, details: { agent_id: mark.agent_id, at: mark.at } },
  );
}
