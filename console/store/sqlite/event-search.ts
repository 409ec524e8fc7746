import type { StoredEvent } from '../../../schemas/console/event.ts';
import type { Event } from '../../../schemas/event.ts';
import type { EventFilter, EventPage, EventSearch } from '../ports/event-search.ts';
import type { ConsoleDatabase } from './database.ts';
import { inScope, scopeParameter, wordsOf } from './fleet/standing-columns.ts';

/**
 * What no index finds is looked for among so many events at a time, so that no search holds everybody up. The page says where to
 * go on.
 */
const LOOKED_AT = 20_000;

type Value = string | number | null;

/** A way through the events, by one index. */
interface Way {
  readonly from: string;
  readonly condition: string;
  readonly values: Readonly<Record<string, Value>>;
}

interface Row {
  readonly id: number;
  readonly received_at: string;
  readonly hostname: string;
  readonly line: string;
}

const EVERYTHING: Way = { from: 'events NOT INDEXED', condition: 'true', values: {} };

export function createEventSearch(
  database: ConsoleDatabase,
  { lookedAt = LOOKED_AT }: { readonly lookedAt?: number } = {},
): EventSearch {
  const prepare = (text: string) => database.prepare(text);

  /** Of one way: what is found on it, and the last id that was looked at when there are more beyond. */
  const along = (way: Way, filter: EventFilter, forward: boolean) => {
    const order = forward ? 'ASC' : 'DESC';
    const { conditions, values } = conditionsOf(filter);
    const from = filter.after ?? 0;
    const to = filter.before ?? Number.MAX_SAFE_INTEGER;
    const bounds = { ...way.values, from, to };
    const between = `${way.condition} AND events.id > :from AND events.id < :to`;
    const end =
      conditions.length === 0
        ? undefined
        : (prepare(
            `SELECT events.id FROM ${way.from} WHERE ${between} ORDER BY events.id ${order} LIMIT 1 OFFSET :looked`,
          ).get({ ...bounds, looked: lookedAt }) as { id: number } | undefined);
    if (end !== undefined) {
      if (forward) bounds.to = end.id;
      else bounds.from = end.id;
    }
    const rows = prepare(
      `SELECT events.id, events.received_at, agents.hostname, events.line FROM ${way.from} JOIN agents USING (agent_id)
       WHERE ${[between, ...conditions].join(' AND ')} ORDER BY events.id ${order} LIMIT :limit`,
    ).all({ ...bounds, ...values, limit: filter.limit }) as unknown as Row[];
    return { rows, end: end?.id ?? null };
  };

  const newestId = () => (prepare('SELECT max(id) AS id FROM events').get() as { id: number | null }).id ?? 0;

  return {
    async find(filter) {
      const forward = filter.after !== undefined && filter.before === undefined;
      // Taken before, so that what comes in meanwhile is not passed over.
      const newest = forward ? newestId() : 0;
      const found = waysOf(filter, prepare, lookedAt).map((way) => along(way, filter, forward));
      const ends = found.flatMap(({ end }) => (end === null ? [] : [end]));
      // Beyond the nearest end of a way nothing is known of all of them.
      const end = ends.length === 0 ? null : forward ? Math.min(...ends) : Math.max(...ends);
      const isNear = ({ id }: Row) => end === null || (forward ? id < end : id > end);
      const rows = found
        .flatMap((way) => way.rows)
        .filter(isNear)
        .toSorted((a, b) => (forward ? a.id - b.id : b.id - a.id))
        .slice(0, filter.limit);
      const isFull = rows.length === filter.limit;
      return forward ? forwardPage(filter, rows, isFull, end, newest) : backwardPage(rows, isFull, end);
    },
  };
}

function forwardPage(
  filter: EventFilter,
  rows: Row[],
  isFull: boolean,
  end: number | null,
  newest: number,
): EventPage {
  const after = filter.after ?? 0;
  const last = rows.at(-1)?.id ?? after;
  // Those that do not match need not be looked at again.
  const reached = end === null ? (isSought(filter) ? newest : last) : end - 1;
  const first = rows[0]?.id;
  return {
    events: rows.map(asEvent),
    next_after: isFull ? last : Math.max(last, reached),
    next_before: first ?? null,
  };
}

/** Some events are left out that whoever asks might see. */
function isSought({ severity, reason, flow, run_id, since, until, q }: EventFilter): boolean {
  return [severity, reason, flow, run_id, since, until, q].some((part) => part !== undefined);
}

function backwardPage(rows: Row[], isFull: boolean, end: number | null): EventPage {
  const oldest = rows.at(-1)?.id;
  return {
    events: rows.map(asEvent).toReversed(),
    next_after: rows[0]?.id ?? 0,
    next_before: isFull ? (oldest ?? null) : end === null ? null : end + 1,
  };
}

function asEvent({ id, received_at, hostname, line }: Row): StoredEvent {
  return { id, received_at, hostname, event: JSON.parse(line) as Event };
}

/** The indexes that lead to the fewest events; of several values, one way each. */
function waysOf(
  { tenants, agent, severity, reason, flow, run_id, since, until }: EventFilter,
  prepare: ConsoleDatabase['prepare'],
  lookedAt: number,
): Way[] {
  const by = (index: string, column: string, values: readonly string[]): Way[] =>
    values.map((value) => ({
      from: `events INDEXED BY ${index}`,
      condition: `events.${column} = :way`,
      values: { way: value },
    }));
  if (run_id !== undefined) return by('events_by_run', 'run_id', [run_id]);
  if (agent !== undefined) return by('events_by_agent', 'agent_id', [agent]);
  if (reason !== undefined && reason.length > 0)
    return by('events_by_reason', 'reason', [...new Set(reason)]);
  if (flow !== undefined) return by('events_by_flow', 'flow', [flow]);
  if (severity !== undefined && severity.length > 0 && !severity.includes('info')) {
    return by('events_by_severity', 'severity', [...new Set(severity)]);
  }
  if ((since !== undefined || until !== undefined) && isShort(prepare, since, until, lookedAt)) {
    const [from, to] = spanOf(since, until);
    return [
      {
        from: 'events INDEXED BY events_by_time',
        condition: 'events.time >= :since AND events.time < :until',
        values: { since: from, until: to },
      },
    ];
  }
  return tenants === '*' ? [EVERYTHING] : by('events_by_tenant', 'tenant', tenants);
}

/** Whether so few events are of that time that they can be put in order. */
function isShort(
  prepare: ConsoleDatabase['prepare'],
  since: string | undefined,
  until: string | undefined,
  lookedAt: number,
): boolean {
  const [from, to] = spanOf(since, until);
  const { found } = prepare(
    'SELECT count(*) AS found FROM (SELECT 1 FROM events WHERE time >= ? AND time < ? LIMIT ?)',
  ).get(from, to, lookedAt) as { found: number };
  return found < lookedAt;
}

/** As they are indexed: in UTC, to the millisecond. */
function spanOf(since: string | undefined, until: string | undefined): readonly [string, string] {
  return [
    since === undefined ? '0000' : new Date(since).toISOString(),
    until === undefined ? '9999-12-31T23:59:59.999Z' : new Date(until).toISOString(),
  ];
}

/** What every event on the way is looked at for. */
function conditionsOf(filter: EventFilter): { conditions: string[]; values: Record<string, Value> } {
  const conditions: string[] = [];
  const values: Record<string, Value> = {};
  const add = (condition: string, more: Record<string, Value>) => {
    conditions.push(condition);
    Object.assign(values, more);
  };
  const among = (column: string, name: string, found: readonly string[] | undefined) => {
    if (found === undefined || found.length === 0) return;
    add(`events.${column} IN (SELECT value FROM json_each(:${name}))`, { [name]: JSON.stringify(found) });
  };
  const { tenants, agent, severity, reason, flow, run_id, since, until, q } = filter;
  if (tenants !== '*') add(inScope('agents.slug'), scopeParameter(tenants));
  if (agent !== undefined) add('events.agent_id = :agent', { agent });
  if (run_id !== undefined) add('events.run_id = :run', { run: run_id });
  among('severity', 'severity', severity);
  among('reason', 'reason', reason);
  if (flow !== undefined) add('events.flow = :flow', { flow });
  if (since !== undefined || until !== undefined) {
    const [from, to] = spanOf(since, until);
    add('events.time >= :since AND events.time < :until', { since: from, until: to });
  }
  for (const [at, word] of wordsOf(q).entries()) {
    const text = `lower(concat_ws(' ', json_extract(events.line, '$.message'), json_extract(events.line, '$.because'),
      events.reason, events.flow, events.run_id, json_extract(events.line, '$.version'),
      json_extract(events.line, '$.revision'), agents.hostname, events.agent_id))`;
    add(`instr(${text}, :word${at}) > 0`, { [`word${at}`]: word });
  }
  return { conditions, values };
}
