import type { AddedTenant } from '../../console/admin.ts';
import type { Fleet } from './fleet.ts';
import type { Machine } from './machine.ts';
import type { FlowLine, Publisher } from './publisher.ts';
import type { SaasSide } from './saas-side.ts';

/** Who takes part, once they are there. */
export interface Cast extends Alone {
  /** All five. */
  readonly fleet: Fleet;
}

/** As long as the story looks at one machine. */
export interface Alone {
  readonly saas: SaasSide;
  readonly tenant: AddedTenant;
  readonly publisher: Publisher;
  /** The one that the story looks at from near. */
  readonly machine: Machine;
  /** What every release lists beside daily-report: a flow that fails on purpose, and one with a schedule. */
  readonly others: readonly FlowLine[];
}
