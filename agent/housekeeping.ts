import type { ReconcileContext, ReconcileDeps } from '../reconciler/context.ts';
import type { Clock, RunStore } from '../reconciler/ports.ts';
import type { AgentRecords } from '../reconciler/records.ts';
import { pruneVersions } from '../reconciler/steps/prune.ts';
import type { Executors } from './executors.ts';
import type { GcAnswer, VerifyAnswer } from './operations.ts';
import type { RunFiles } from './run-files.ts';
import type { Uploads } from './uploads.ts';

const DAY_MS = 86_400_000;

export interface HousekeepingParts {
  readonly deps: () => ReconcileDeps;
  readonly runFiles: RunFiles;
  readonly records: AgentRecords;
  readonly runs: RunStore;
  readonly executors: Pick<Executors, 'environments' | 'browsers'>;
  readonly uploads: Pick<Uploads, 'waitingRuns' | 'prune' | 'tidy'>;
  readonly clock: Clock;
  readonly exclusive: <T>(work: () => Promise<T>) => Promise<T>;
  readonly verifyEvents: () => Promise<
    { kind: 'intact'; events: number } | { kind: 'broken'; file: string; line: number; message: string }
  >;
}

/** The weekly clean-up and the check of everything on disk; both wait for a reconcile that is under way. */
export function createHousekeeping(parts: HousekeepingParts): {
  collectGarbage(dryRun: boolean, signal: AbortSignal): Promise<GcAnswer>;
  verifyAll(signal: AbortSignal): Promise<VerifyAnswer>;
} {
  const { clock, runFiles, runs } = parts;
  return {
    collectGarbage: (dryRun, signal) =>
      parts.exclusive(async () => {
        const now = clock.now();
        const context = contextOf(parts.deps(), now, signal, dryRun);
        const { keep_days: keepDays } = context.settings().retention;
        const versions = (await pruneVersions(context, dryRun)).map(({ record, because }) => {
          return { path: record.path, bytes: record.bytes, because };
        });
        const environments = await pruneEnvironments(context, parts.executors, versions, dryRun);
        const cleaned = await context.source.cleanUp(now, keepDays, dryRun);
        tell(context, dryRun, cleaned);
        const active = new Set(Object.values(context.store.current().flows).map((flow) => flow.sha256));
        const staging = await context.store.sweep(now, active, dryRun);
        if (!dryRun && staging.removed > 0) {
          const message = `${staging.removed} downloads (${staging.bytes} bytes) are removed`;
          const because = 'they are older than a day and no active version needs them';
          context.events.emit({ severity: 'info', reason: 'StagingPruned', message, because });
        }
        const before = new Date(now.getTime() - keepDays * DAY_MS);
        const unfinished = runs
          .list({ states: ['queued', 'running'], limit: 10_000 })
          .map((run) => run.run_id);
        if (!dryRun) parts.uploads.prune(before);
        const services = Object.keys(context.store.current().flows).map((flow) => `service-${flow}`);
        const needed = new Set([...unfinished, ...services, ...parts.uploads.waitingRuns()]);
        const folders = await runFiles.prune(before, needed, dryRun);
        if (!dryRun) {
          await parts.uploads.tidy();
          runs.prune(before);
          parts.records.setLastCleanUp(now);
        }
        const { tags, objects, bytes } = cleaned;
        return {
          dry_run: dryRun,
          versions,
          environments,
          tags,
          git: { objects, bytes },
          staging,
          runs: folders,
        };
      }),

    verifyAll: (signal) =>
      parts.exclusive(async () => {
        const context = contextOf(parts.deps(), clock.now(), signal, true);
        const versions: VerifyAnswer['versions'] = [];
        for (const { path, sha256 } of await context.store.versions()) {
          const checked = await context.store.check(path, 'deep', signal);
          const message = checked.kind === 'intact' ? null : checked.message;
          versions.push({ path, sha256, state: checked.kind, message });
        }
        for (const active of Object.values(context.store.current().flows)) {
          if (versions.some((version) => version.path === active.path)) continue;
          const message = 'expected the active version on disk, found no complete folder';
          versions.push({ path: active.path, sha256: active.sha256, state: 'drifted', message });
        }
        const chain = await parts.verifyEvents();
        const events: VerifyAnswer['events'] =
          chain.kind === 'intact'
            ? { state: 'intact', checked: chain.events, message: null }
            : {
                state: 'broken',
                checked: chain.line,
                message: `${chain.file}:${chain.line}: ${chain.message}`,
              };
        const release = await verifyRelease(context);
        const ok =
          events.state === 'intact' &&
          release.state !== 'refused' &&
          versions.every((version) => version.state === 'intact');
        return { ok, versions, events, release };
      }),
  };
}

/** Python environments and browsers that no version needs which stays. */
async function pruneEnvironments(
  context: ReconcileContext,
  { environments, browsers }: Pick<Executors, 'environments' | 'browsers'>,
  pruned: readonly { path: string }[],
  dryRun: boolean,
): Promise<GcAnswer['environments']> {
  const gone = new Set(pruned.map(({ path }) => path));
  const stays = (await context.store.versions()).filter(({ path }) => !gone.has(path));
  const folders = stays.map(({ path }) => context.store.absolute(path));
  const { runs } = context.settings();
  const options = { dryRun, signal: context.signal };
  const removed = [
    ...(await environments.collect(folders, runs, options)),
    ...(await browsers.collect(folders, runs, options)),
  ];
  return removed.map(({ name, bytes }) => ({ name, bytes }));
}

/** The last applied revision, from the cache, through trust once more; nothing is remembered of it. */
async function verifyRelease(context: ReconcileContext): Promise<VerifyAnswer['release']> {
  const { revision } = context.store.current();
  const snapshot = revision === null ? null : await context.source.recall(revision);
  if (snapshot === null) return { state: 'unknown', message: 'the cache does not hold the applied revision' };
  const memory = await context.trustMemory.load();
  let verdict = await context.verifier.verify(snapshot, memory, context.now);
  let newer = '';
  if (verdict.kind === 'refused' && verdict.code === 'seq_rollback') {
    // A newer release is believed before its bundles are here; until then the applied one is no rollback.
    verdict = await context.verifier.verify(snapshot, { ...memory, seq: [], tuf: undefined }, context.now);
    newer = '; a newer release is believed and not applied in full yet';
  }
  if (verdict.kind === 'refused') return { state: 'refused', message: `${verdict.code}: ${verdict.message}` };
  const { statement } = verdict;
  const what = statement === null ? 'unsigned, as trust.mode allows' : `seq ${statement.seq}`;
  return { state: 'verified', message: `${what}${newer}` };
}

function contextOf(deps: ReconcileDeps, now: Date, signal: AbortSignal, dryRun: boolean): ReconcileContext {
  return { ...deps, now, signal, dryRun, explicit: true, force: false, downloads: new Map() };
}

function tell(
  context: ReconcileContext,
  dryRun: boolean,
  cleaned: { tags: string[]; objects: number; bytes: number },
): void {
  if (dryRun) return;
  if (cleaned.tags.length > 0) {
    const message = `${cleaned.tags.length} tags are removed from the cache: ${cleaned.tags.slice(0, 20).join(', ')}`;
    const because = 'they are merged into the branch and older than 30 days';
    context.events.emit({ severity: 'info', reason: 'TagsPruned', message, because });
  }
  if (cleaned.objects > 0) {
    const message = `${cleaned.objects} git objects (${cleaned.bytes} bytes) are removed from the cache`;
    context.events.emit({
      severity: 'info',
      reason: 'ObjectsPruned',
      message,
      because: 'nothing reaches them',
    });
  }
}
