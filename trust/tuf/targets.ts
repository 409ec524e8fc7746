import type { Refused } from '../../reconciler/ports.ts';
import type { TufTarget } from '../../schemas/tuf.ts';
import { TUF_MAX_ROLES, tufFileName } from '../../schemas/tuf-files.ts';
import { refused } from '../refusal.ts';
import { rolesFor, signersOf } from './delegations.ts';
import { bytesFault, type Metadata, type Signers, shortfall } from './metadata.ts';
import { expiredFault, type TufTopLevel, versionFault } from './refresh.ts';
import { readSigned, rememberedOf, type TufFiles, type TufKept } from './repository.ts';
import { topLevelSigners } from './root-walk.ts';

type Targets = Metadata<'targets'>;

export type TargetSearch =
  /** `roles` are the metadata that led there, the one that lists it last. */
  | { readonly kind: 'found'; readonly target: TufTarget; readonly roles: readonly Targets[] }
  | { readonly kind: 'unlisted'; readonly message: string }
  | Refused;

/** Looks for targets, once the top level is believed. */
export interface TufTargetFinder {
  /** The top-level targets role, which is part of every refresh (specification, 5.6). */
  top(): Promise<Targets | Refused>;
  /**
   * The most trusted word on a path (specification, 5.6.7): pre-order, depth first, delegations in the order they are named, a
   * terminating one ending the search, each role once, at most 32. A role is held to the signers of the one it is reached by, also
   * when another branch had led to it before.
   */
  find(path: string): Promise<TargetSearch>;
}

export function createTargetFinder(
  topLevel: TufTopLevel,
  files: TufFiles,
  kept: TufKept,
  time: Date,
): TufTargetFinder {
  const { root, snapshot } = topLevel;
  const loaded = new Map<string, Targets>();

  const load = async (role: string, signers: Signers): Promise<Targets | Refused> => {
    const again = loaded.get(role);
    if (again !== undefined) {
      const missing = shortfall(again, signers, role);
      return missing === null
        ? again
        : refused('threshold_not_met', `${tufFileName(role, null)}: ${missing}`);
    }
    const file = `${role}.json`;
    const bound = Object.hasOwn(snapshot.signed.meta, file) ? snapshot.signed.meta[file] : undefined;
    if (bound === undefined) {
      const message = `expected ${tufFileName(role, null)} in snapshot.json, found none; publish a snapshot with it`;
      return refused('tuf_metadata_missing', message);
    }
    const before = rememberedOf(kept, 'targets', role, signers);
    const name = tufFileName(role, root.signed.consistent_snapshot ? bound.version : null);
    const usable =
      before !== null &&
      before.signed.version === bound.version &&
      bytesFault(before.bytes, bound) === null &&
      expiredFault(before, name, time) === null;
    const found = usable ? before : await readSigned(files, name, { type: 'targets', role, signers, bound });
    if (found.kind === 'refused') return found;
    const fault =
      versionFault(found, bound.version, name, 'snapshot.json') ?? expiredFault(found, name, time);
    if (fault !== null) return fault;
    if (!usable) kept.accept(role, found);
    loaded.set(role, found);
    return found;
  };

  const top = () => load('targets', topLevelSigners(root, 'targets'));

  return {
    top,
    async find(path) {
      const first = await top();
      if (first.kind === 'refused') return first;
      const open: { role: string; via: readonly Targets[] }[] = [{ role: 'targets', via: [] }];
      const visited = new Set<string>();
      while (open.length > 0 && visited.size < TUF_MAX_ROLES) {
        const { role, via } = open.pop() as (typeof open)[number];
        if (visited.has(role)) continue;
        visited.add(role);
        const delegator = via.at(-1);
        const signers = delegator === undefined ? null : signersOf(delegator.signed, role);
        const found = signers === null ? first : await load(role, signers);
        if (found.kind === 'refused') return found;
        const roles = [...via, found];
        const { targets, delegations } = found.signed;
        const target = Object.hasOwn(targets, path) ? targets[path] : undefined;
        if (target !== undefined) return { kind: 'found', target, roles };
        if (delegations === undefined) continue;
        const next: typeof open = [];
        for (const { name, terminating } of rolesFor(delegations, path)) {
          next.push({ role: name, via: roles });
          if (!terminating) continue;
          open.length = 0;
          break;
        }
        open.push(...next.reverse());
      }
      const limit = open.length > 0 ? ` in the first ${TUF_MAX_ROLES} roles` : '';
      const message = `expected the target ${path}, found that no role lists it${limit} (looked at ${[...visited].join(', ').slice(0, 300)})`;
      return { kind: 'unlisted', message };
    },
  };
}
