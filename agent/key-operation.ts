import type { KeySchedule } from './key-schedule.ts';
import { OperationError } from './operation-error.ts';

/** The change of the device key that a person asked for. Throws OperationError: exit 4 a person must act, 5 try again. */
export async function rotateKey(
  keys: KeySchedule,
  signal: AbortSignal,
): Promise<{ before: string; thumbprint: string }> {
  const outcome = await keys.now(signal);
  switch (outcome.kind) {
    case 'changed':
      return { before: outcome.before, thumbprint: outcome.thumbprint };
    case 'unsupported':
    case 'refused':
      throw new OperationError('key_unusable', `the device key stays as it is: ${outcome.message}`, {
        exitCode: 4,
      });
    case 'no_answer':
      throw new OperationError(
        'unreachable',
        `the device key stays as it is: ${outcome.message}; try again later`,
        {
          exitCode: 5,
        },
      );
    case 'not_enrolled': {
      const message =
        'expected an enrolled agent with a console and a device key, found none; run edge-agent enroll';
      throw new OperationError('not_enrolled', message, { exitCode: 4 });
    }
  }
}
