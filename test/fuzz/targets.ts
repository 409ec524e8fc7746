import type { FuzzTarget } from './target.ts';
import { archiveTargets } from './targets/archive.ts';
import { documentTargets } from './targets/documents.ts';
import { gitTargets } from './targets/git.ts';
import { networkTargets } from './targets/network.ts';
import { signedTargets } from './targets/signed.ts';
import { stateTargets } from './targets/state.ts';
import { wordTargets } from './targets/words.ts';

/** Every parser of bytes that come from outside, the agent's and the console's. */
export const TARGETS: readonly FuzzTarget[] = [
  ...documentTargets,
  ...signedTargets,
  ...gitTargets,
  ...archiveTargets,
  ...networkTargets,
  ...stateTargets,
  ...wordTargets,
];
