import type { StoredEvent } from '../../../schemas/console/event.ts';
import type { Severity } from '../../../schemas/event.ts';
import type { TenantScope } from './tenant-scope.ts';

export interface EventFilter {
  readonly tenants: TenantScope;
  readonly agent?: string | undefined;
  readonly severity?: readonly Severity[] | undefined;
  readonly reason?: readonly string[] | undefined;
  readonly flow?: string | undefined;
  readonly run_id?: string | undefined;
  /** By the agent's clock. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** Words that all have to occur in what the event says or in whose it is, whatever their case. */
  readonly q?: string | undefined;
  /** Id of an event: only those that came in after it; `before`: only those before it. */
  readonly after?: number | undefined;
  readonly before?: number | undefined;
  readonly limit: number;
}

export interface EventPage {
  /** In order of arrival. */
  readonly events: StoredEvent[];
  /** With `after`: where to go on. */
  readonly next_after: number;
  /** Where the page before begins; null when there is none. A page may be short, or empty, and have one before it. */
  readonly next_before: number | null;
}

/** Events of all agents, by what they say. */
export interface EventSearch {
  /** The first `limit` after `after`, else the last `limit` before `before`, else the last `limit`. */
  find(filter: EventFilter): Promise<EventPage>;
}
