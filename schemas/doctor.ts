import { z } from 'zod';
import { Timestamp } from './names.ts';

export const DoctorGroup = z.enum([
  'configuration',
  'credentials',
  'trust',
  'state',
  'network',
  'clock',
  'flows',
  'agent',
]);
export type DoctorGroup = z.infer<typeof DoctorGroup>;

/** One line of `edge-agent doctor`. `fix` says what to do, null when there is nothing to do. */
export const DoctorCheck = z.object({
  group: DoctorGroup,
  /** `<group>.<what>`, stable: scripts go by it. */
  name: z.string(),
  status: z.enum(['ok', 'warn', 'fail']),
  found: z.string(),
  expected: z.string(),
  fix: z.string().nullable(),
});
export type DoctorCheck = z.infer<typeof DoctorCheck>;

/** What `edge-agent doctor --output json` prints (docs/spec/command.md). */
export const DoctorReport = z.object({
  generated_at: Timestamp,
  agent_version: z.string(),
  config: z.string(),
  /** Who works on this state now. */
  daemon: z.object({ pid: z.int(), verb: z.string() }).nullable(),
  summary: z.object({ ok: z.int(), warn: z.int(), fail: z.int() }),
  /** Of the command: 0, or 2, 4 or 5 by what fails (contract, section 10). */
  exit_code: z.int(),
  checks: z.array(DoctorCheck),
});
export type DoctorReport = z.infer<typeof DoctorReport>;
