import type { Narrator } from './narrator.ts';
import type { AgentProgram } from './program.ts';

/** What every step of the story works with. */
export interface Stage {
  readonly folder: string;
  readonly narrator: Narrator;
  readonly signal: AbortSignal;
  readonly cleanup: AsyncDisposableStack;
  /** Ends the demo: something that should go on has ended. */
  readonly fail: (error: Error) => void;
  readonly program: AgentProgram;
  /** Opens an address in the person's browser; null where it is not to be opened. */
  readonly openPage: ((url: string) => void) | null;
  /** For every program that is started. */
  readonly env: Readonly<Record<string, string>>;
}

export const TENANT = 'acme';
export const BRANCH = `tenant/${TENANT}`;

export const ORDERS = JSON.stringify({
  orders: [
    { customer: 'Lyon', amount: 120.5 },
    { customer: 'Lille', amount: 80 },
    { customer: 'Nantes', amount: 310 },
  ],
});
