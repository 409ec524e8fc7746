import { z } from 'zod';
import { Event, Severity } from '../event.ts';
import { FlowId, Id, Timestamp } from '../names.ts';
import { before, limit, oneOf, search, TenantQuery } from './page.ts';

/**
 * `GET /api/events`. With `after` (a row's id) what came in since, in order of arrival; with `before` the page before it,
 * newest last as well; with neither the newest.
 */
export const EventsQuery = TenantQuery.extend({
  q: search,
  agent: Id.optional(),
  severity: oneOf(Severity),
  reason: oneOf(z.string().max(64)),
  flow: FlowId.optional(),
  run_id: Id.optional(),
  since: Timestamp.optional(),
  until: Timestamp.optional(),
  after: z.coerce.number().int().min(0).max(Number.MAX_SAFE_INTEGER).optional(),
  before,
  limit,
});
export const StoredEvent = z.object({
  id: z.int(),
  received_at: Timestamp,
  hostname: z.string(),
  event: Event.loose(),
});
export type StoredEvent = z.infer<typeof StoredEvent>;
export const EventsAnswer = z.object({
  events: z.array(StoredEvent),
  next_after: z.int(),
  /** Null when there are none before. */
  next_before: z.int().nullable(),
});
export type EventsAnswer = z.infer<typeof EventsAnswer>;
