import type { Event } from '../../../schemas/event.ts';
import type { TenantScope } from './tenant-scope.ts';

export interface StoredEvent {
  /** Counts over all agents, in order of arrival: the cursor of the read API. */
  readonly id: number;
  readonly received_at: string;
  readonly event: Event;
}

export interface EventLogState {
  readonly log_id: string;
  readonly next_seq: number;
  /** Events the agent could no longer send. */
  readonly missing: number;
  /** When the agent first told it otherwise than before: a copied or restored machine. */
  readonly forked_at: string | null;
}

/** How far one log of one agent has come. */
export interface EventLogPosition {
  readonly next_seq: number;
  /** SHA-256 of the last line, in hexadecimal. */
  readonly last_hash: string;
  /** The event that was offered last although an earlier one is wanted, and how often. */
  readonly gap_seq: number | null;
  readonly gap_offers: number;
  readonly missing: number;
}

/** What an event says came of a signed command. */
export interface CommandOutcome {
  readonly command_id: string;
  readonly outcome: 'done' | 'failed';
  /** By the agent's clock. */
  readonly at: string;
  readonly message: string;
  /** The version of its flow that is active since, where it changed that. */
  readonly version: string | null;
}

/** What follows from a batch. `position` null: nothing is written. */
export interface EventStep<T> {
  readonly outcome: T;
  readonly position: EventLogPosition | null;
  readonly lines: readonly { readonly seq: number; readonly line: string }[];
  /** Noted at the commands, in the same step: events are not kept for ever, nor searched for this. */
  readonly commands: readonly CommandOutcome[];
}

export interface EventPage {
  readonly agent?: string;
  readonly tenants?: TenantScope;
  readonly limit: number;
}

/** What agents tell of themselves, line by line. */
export interface EventRows {
  /**
   * One step of one log: `decide` gets where it stands (null: unheard of) and those lines of the events `from` to `to` (both in
   * it) that are kept; what it decides is written. `decide` is synchronous and touches nothing.
   */
  advance<T>(
    log: { readonly agentId: string; readonly logId: string; readonly from: number; readonly to: number },
    at: Date,
    decide: (position: EventLogPosition | null, kept: ReadonlyMap<number, string>) => EventStep<T>,
  ): Promise<T>;
  /** In order of arrival, with `id` greater than `after`. */
  read(page: EventPage & { readonly after: number }): Promise<StoredEvent[]>;
  /** The last `limit`, in order of arrival. */
  tail(page: EventPage): Promise<StoredEvent[]>;
  logs(agentId: string): Promise<EventLogState[]>;
  /** The agent tells this log in two ways; true when that was not known. */
  forked(agentId: string, logId: string, at: Date): Promise<boolean>;
  /** Drops the oldest events and the oldest logs of every agent beyond so many; how many events. */
  prune(keepEvents: number, keepLogs: number, signal?: AbortSignal): Promise<number>;
}
