import type { Machine } from './machine.ts';
import type { Narrator } from './narrator.ts';
import type { FlowLine, Publisher } from './publisher.ts';
import type { SaasSide } from './saas-side.ts';

/** What every step of the story works with. */
export interface Stage {
  readonly folder: string;
  readonly narrator: Narrator;
  readonly signal: AbortSignal;
  readonly cleanup: AsyncDisposableStack;
  /** Ends the demo: something that should go on has ended. */
  readonly fail: (error: Error) => void;
  /** For every program that is started. */
  readonly env: Readonly<Record<string, string>>;
}

/** Who takes part, once they are there. */
export interface Cast {
  readonly saas: SaasSide;
  readonly publisher: Publisher;
  readonly machine: Machine;
  /** The flow that fails on purpose, as every release lists it. */
  readonly failing: FlowLine;
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
