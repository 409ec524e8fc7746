import { timingSafeEqual } from 'node:crypto';
import { hashOf, newToken } from '../secrets.ts';

/** The code with which the first person is made. Only its hash is held, in memory, until somebody has used it. */
export interface SetupCode {
  /** Another one; the one before is void. */
  renew(): string;
  matches(code: string): boolean;
  end(): void;
}

export function createSetupCode(): SetupCode {
  let kept: Buffer | null = null;
  return {
    renew() {
      const code = newToken('ecf');
      kept = Buffer.from(hashOf(code));
      return code;
    },
    matches: (code) => kept !== null && timingSafeEqual(Buffer.from(hashOf(code)), kept),
    end() {
      kept = null;
    },
  };
}
