import type { LiveChange } from '../../schemas/console/live.ts';
import type { Notices } from '../notices.ts';
import { isInScope } from '../people/actor.ts';
import type { AuditAction, AuditStore } from '../store/ports/audit.ts';
import type { TenantScope } from '../store/ports/tenant-scope.ts';
import type { UploadStore } from '../uploads.ts';

/** Changes are told together so often at most. */
const TOLD_EVERY_MS = 250;
const NAMED_MAX = 50;

type Flag = Exclude<keyof LiveChange, 'time' | 'agents' | 'runs'>;

/** What happened, in a tenant; null: in none of them, which is for those who see them all. */
export interface Happening {
  readonly tenant: string | null;
  readonly agent?: string;
  /** Something that all agents of the tenant are shown with. */
  readonly everyAgent?: boolean;
  readonly run?: string;
  /** Runs are other ones than before, more than can be named. */
  readonly everyRun?: boolean;
  readonly flags?: readonly Flag[];
}

export interface LiveFeed {
  happened(what: Happening): void;
  /** Something that nobody here knows of: all that is shown is to be asked for again, by everybody. */
  anything(): void;
  /** `hear` gets what changed in the scope, put together; returns what ends it. */
  subscribe(scope: TenantScope, hear: (change: LiveChange) => void): () => void;
  close(): void;
}

interface Pending {
  readonly agents: Set<string>;
  everyAgent: boolean;
  readonly runs: Set<string>;
  everyRun: boolean;
  readonly flags: Set<Flag>;
}

const FLAGS: readonly Flag[] = ['flows', 'releases', 'events', 'commands', 'audit', 'tokens'];
const none = (): Pending => ({
  agents: new Set(),
  everyAgent: false,
  runs: new Set(),
  everyRun: false,
  flags: new Set(),
});

/**
 * What pages are told. A thousand reports a second are noted as ids in one set a tenant, and every subscriber hears of them four
 * times a second at most, whatever is reported.
 */
export function createLiveFeed(now: () => Date): LiveFeed {
  const subscribers = new Set<{ readonly scope: TenantScope; readonly hear: (change: LiveChange) => void }>();
  let pending = new Map<string | null, Pending>();
  let anything = false;
  let timer: NodeJS.Timeout | undefined;

  const tell = () => {
    timer = undefined;
    const told = pending;
    const all = anything ? [{ ...none(), everyAgent: true, everyRun: true, flags: new Set(FLAGS) }] : null;
    pending = new Map();
    anything = false;
    for (const { scope, hear } of subscribers) {
      const mine =
        all ??
        [...told].flatMap(([tenant, what]) =>
          (tenant === null ? scope === '*' : isInScope(scope, tenant)) ? [what] : [],
        );
      if (mine.length > 0) hear(together(mine, now()));
    }
  };

  return {
    happened({ tenant, agent, everyAgent = false, run, everyRun = false, flags = [] }) {
      // Whoever comes reads everything first.
      if (subscribers.size === 0) return;
      const there = pending.get(tenant);
      const what = there ?? none();
      if (there === undefined) pending.set(tenant, what);
      if (agent !== undefined && what.agents.size <= NAMED_MAX) what.agents.add(agent);
      what.everyAgent ||= everyAgent;
      if (run !== undefined && what.runs.size <= NAMED_MAX) what.runs.add(run);
      what.everyRun ||= everyRun;
      for (const flag of flags) what.flags.add(flag);
      timer ??= setTimeout(tell, TOLD_EVERY_MS).unref();
    },
    anything() {
      if (subscribers.size === 0) return;
      anything = true;
      timer ??= setTimeout(tell, TOLD_EVERY_MS).unref();
    },
    subscribe(scope, hear) {
      const one = { scope, hear };
      subscribers.add(one);
      return () => void subscribers.delete(one);
    },
    close() {
      clearTimeout(timer);
      subscribers.clear();
    },
  };
}

function together(parts: readonly Pending[], at: Date): LiveChange {
  const named = (of: 'agents' | 'runs'): LiveChange['agents'] => {
    const ids = new Set<string>();
    for (const part of parts) {
      for (const id of part[of]) {
        ids.add(id);
        if (ids.size > NAMED_MAX) return 'many';
      }
    }
    return [...ids];
  };
  const has = (flag: Flag) => parts.some(({ flags }) => flags.has(flag));
  return {
    time: at.toISOString(),
    agents: parts.some(({ everyAgent }) => everyAgent) ? 'many' : named('agents'),
    runs: parts.some(({ everyRun }) => everyRun) ? 'many' : named('runs'),
    flows: has('flows'),
    releases: has('releases'),
    events: has('events'),
    commands: has('commands'),
    audit: has('audit'),
    tokens: has('tokens'),
  };
}

/** Tells the feed of everything that is told inside the process. */
export function feedFromNotices(feed: LiveFeed, notices: Notices): void {
  notices.status.subscribe(({ tenant, agent_id: agent, changed }) => {
    const flags: Flag[] = [
      ...(changed.flows ? (['flows'] as const) : []),
      // How far a rollout has got depends on all three: a flow may be held back from it.
      ...(changed.revisions || changed.state || changed.flows ? (['releases'] as const) : []),
    ];
    feed.happened({ tenant, agent, flags });
  });
  notices.tunnel.subscribe(({ tenant, agent_id: agent }) => feed.happened({ tenant, agent }));
  notices.events.subscribe(({ tenant, agent_id: agent }) =>
    feed.happened({ tenant, agent, flags: ['events'] }),
  );
  notices.run.subscribe(({ tenant, agent_id: agent, run_id: run }) => feed.happened({ tenant, agent, run }));
  notices.notify.subscribe(({ tenant, agent_id: agent, report }) =>
    feed.happened({ tenant, agent, run: report.run_id, flags: ['flows'] }),
  );
  notices.command.subscribe(({ tenant, agent_id: agent }) =>
    feed.happened({ tenant, agent, flags: ['commands', 'audit'] }),
  );
  notices.identity.subscribe(({ tenant, agent_id: agent }) =>
    feed.happened({ tenant, agent, flags: ['audit'] }),
  );
  notices.enrol.subscribe(({ tenant, agent_id: agent }) =>
    feed.happened({ tenant, agent, flags: ['tokens', 'audit', 'flows'] }),
  );
  notices.elsewhere.subscribe(() => feed.anything());
  notices.push.subscribe(({ tenant }) => feed.happened({ tenant, flags: ['releases'] }));
}

const OF_TOKENS: readonly AuditAction[] = ['token_made', 'token_revoked', 'agent_enrolled'];
/** What it had not ended is lost. */
const OF_EVERY_RUN: readonly AuditAction[] = ['agent_revoked', 'agent_unenrolled'];
/** What may be asked of every agent of the tenant, or which there are, is another thing since. */
const OF_EVERY_AGENT: readonly AuditAction[] = [
  'trigger_key_set',
  'trigger_key_removed',
  'tenant_added',
  'tenant_changed',
];

/** Tells the feed of every row of the audit (whatever somebody has done is in it), and of files. */
export function feedFromState(
  feed: LiveFeed,
  {
    audit,
    uploads,
  }: { readonly audit: Pick<AuditStore, 'onWritten'>; readonly uploads: Pick<UploadStore, 'onChanged'> },
): void {
  uploads.onChanged(({ tenant, agent_id: agent, run_id: run }) =>
    feed.happened({ tenant, agent, ...(run === null ? {} : { run }) }),
  );
  audit.onWritten(({ action, tenant, agent_id: agent }) =>
    feed.happened({
      tenant,
      ...(agent === null ? {} : { agent }),
      everyAgent: OF_EVERY_AGENT.includes(action),
      everyRun: OF_EVERY_RUN.includes(action),
      flags: OF_TOKENS.includes(action) ? ['tokens', 'audit'] : ['audit'],
    }),
  );
}
