import { type AgentPolicy } from '../schemas/agent-policy.ts';
import {
  Conditions,
  EMPTY_SOURCE_STATE,
  FlowState,
  Intent,
  Quarantine,
  RunStreak,
  SourceState,
  TrustSeen,
} from '../schemas/agent-state.ts';
import { type Condition, Suspension } from '../schemas/status.ts';
import type { StateDocuments } from './ports.ts';

/** So much of the times of looking may be lost in a crash; nothing is decided by them. */
const TIMES_IN_MEMORY_MS = 5 * 60_000;

/** The agent's own documents with their types: the one place that knows their keys. */
export interface AgentRecords {
  source(): SourceState;
  /** When only the times of looking changed they may stay in memory for minutes: finding nothing to do writes nothing. */
  saveSource(change: Partial<SourceState>): SourceState;
  /** Writes what `saveSource` kept in memory; before the end of the process. */
  flush(): void;
  flow(id: string): FlowState | null;
  flows(): Map<string, FlowState>;
  saveFlow(id: string, state: FlowState): void;
  forgetFlow(id: string): void;
  runStreak(flow: string): RunStreak | null;
  saveRunStreak(flow: string, streak: RunStreak | null): void;
  quarantines(): Map<string, Quarantine>;
  saveQuarantine(sha256: string, quarantine: Quarantine): void;
  clearQuarantine(sha256: string): void;
  /** Whole downloads of this digest that did not match. */
  mismatches(sha256: string): number;
  setMismatches(sha256: string, count: number): void;
  /** Which digest a version's place was first activated for, by path case-folded. */
  names(): Map<string, string>;
  fixName(path: string, sha256: string): void;
  intent(): Intent | null;
  saveIntent(intent: Intent | null): void;
  suspension(now: Date): Suspension | null;
  saveSuspension(suspension: Suspension | null): void;
  conditions(): Condition[];
  saveConditions(conditions: readonly Condition[]): void;
  trustSeen(): TrustSeen;
  saveTrustSeen(seen: TrustSeen): void;
  policy(): AgentPolicy | null;
  savePolicy(policy: AgentPolicy | null): void;
  /** Keys of the events that said what was in the way at the last reconcile, with the flow they are about. */
  standing(): ReadonlyMap<string, string | null>;
  saveStanding(standing: ReadonlyMap<string, string | null>): void;
  /** When the weekly clean-up was last done. */
  lastCleanUp(): Date | null;
  setLastCleanUp(at: Date): void;
  transaction<T>(work: () => T): T;
  /** Done once the outermost transaction is on disk, at once outside of one, never when it is undone. */
  afterCommit(work: () => void): void;
}

/** A schema, as far as reading needs one. */
interface Reader<T> {
  safeParse(value: unknown): { success: true; data: T } | { success: false };
}

export function createAgentRecords(documents: StateDocuments): AgentRecords {
  const read = <T>(key: string, schema: Reader<T>): T | null => {
    const parsed = schema.safeParse(documents.read(key));
    return parsed.success ? parsed.data : null;
  };
  const write = (key: string, value: unknown) => {
    if (value === null) documents.delete(key);
    else documents.write(key, value);
  };
  /** What a listed document was understood as; the documents give the same object while the text is the same. */
  const understood = new WeakMap<object, unknown>();
  const all = <T>(prefix: string, schema: Reader<T>): Map<string, T> => {
    const found = new Map<string, T>();
    for (const { key, value } of documents.list(prefix)) {
      const before = typeof value === 'object' && value !== null ? understood.get(value) : undefined;
      if (before !== undefined) {
        found.set(key.slice(prefix.length), before as T);
        continue;
      }
      const parsed = schema.safeParse(value);
      if (!parsed.success) continue;
      found.set(key.slice(prefix.length), parsed.data);
      if (typeof value === 'object' && value !== null) understood.set(value, parsed.data);
    }
    return found;
  };
  const storedSource = () => read('source', SourceState) ?? EMPTY_SOURCE_STATE;
  let looked: Pick<SourceState, 'last_sync_at' | 'next_attempt_at'> | null = null;
  const records: AgentRecords = {
    source: () => ({ ...storedSource(), ...looked }),
    saveSource(change) {
      const stored = storedSource();
      const state = { ...stored, ...looked, ...change };
      const { last_sync_at, next_attempt_at } = state;
      looked = { last_sync_at, next_attempt_at };
      if (onlyLookedAgain(stored, state)) return state;
      write('source', state);
      return state;
    },
    flush() {
      if (looked !== null) write('source', records.source());
    },
    flow: (id) => read(`flow/${id}`, FlowState),
    flows: () => all('flow/', FlowState),
    saveFlow: (id, state) => write(`flow/${id}`, state),
    forgetFlow(id) {
      write(`flow/${id}`, null);
      write(`run-streak/${id}`, null);
    },
    runStreak: (flow) => read(`run-streak/${flow}`, RunStreak),
    saveRunStreak: (flow, streak) => write(`run-streak/${flow}`, streak),
    quarantines: () => all('quarantine/', Quarantine),
    saveQuarantine: (sha256, quarantine) => write(`quarantine/${sha256}`, quarantine),
    clearQuarantine(sha256) {
      write(`quarantine/${sha256}`, null);
      write(`mismatch/${sha256}`, null);
    },
    mismatches(sha256) {
      const count = documents.read(`mismatch/${sha256}`);
      return typeof count === 'number' ? count : 0;
    },
    setMismatches: (sha256, count) => write(`mismatch/${sha256}`, count === 0 ? null : count),
    names() {
      const names = new Map<string, string>();
      for (const { key, value } of documents.list('name/')) {
        if (typeof value === 'string') names.set(key.slice('name/'.length), value);
      }
      return names;
    },
    fixName(path, sha256) {
      const key = `name/${path.toLowerCase()}`;
      if (documents.read(key) === undefined || documents.read(key) === null) write(key, sha256);
    },
    intent: () => read('intent', Intent),
    saveIntent: (intent) => write('intent', intent),
    suspension(now) {
      const suspension = read('suspension', Suspension);
      if (suspension?.until != null && Date.parse(suspension.until) <= now.getTime()) return null;
      return suspension;
    },
    saveSuspension: (suspension) => write('suspension', suspension),
    conditions: () => read('conditions', Conditions) ?? [],
    saveConditions: (conditions) => write('conditions', conditions),
    trustSeen: () =>
      read('trust-seen', TrustSeen) ?? { root_version: null, seq: null, release_expires: null },
    saveTrustSeen: (seen) => write('trust-seen', seen),
    // what was parsed is kept parsed: durations are milliseconds already, so the stored form is not parsed again
    policy: () => (documents.read('policy') as AgentPolicy | null | undefined) ?? null,
    savePolicy: (policy) => write('policy', policy),
    standing() {
      const stored = documents.read('standing');
      return new Map(Array.isArray(stored) ? (stored as [string, string | null][]) : []);
    },
    saveStanding: (standing) => write('standing', standing.size === 0 ? null : [...standing]),
    lastCleanUp() {
      const at = documents.read('last-clean-up');
      return typeof at === 'string' ? new Date(at) : null;
    },
    setLastCleanUp: (at) => write('last-clean-up', at.toISOString()),
    transaction: (work) => documents.transaction(work),
    afterCommit: (work) => documents.afterCommit(work),
  };
  return records;
}

/** Nothing but the times of looking changed, and those on disk are not older than what may be lost in a crash. */
function onlyLookedAgain(stored: SourceState, state: SourceState): boolean {
  const { last_sync_at: before, next_attempt_at } = stored;
  const { last_sync_at: now } = state;
  if (before === null || now === null || Date.parse(now) - Date.parse(before) >= TIMES_IN_MEMORY_MS)
    return false;
  return JSON.stringify({ ...state, last_sync_at: before, next_attempt_at }) === JSON.stringify(stored);
}
