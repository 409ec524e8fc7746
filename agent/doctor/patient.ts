import type { Status } from '../../schemas/status.ts';
import type { ControlPeer } from '../control-client.ts';
import type { EffectiveSettings } from '../effective-settings.ts';
import type { LoadedConfig } from '../load-config.ts';
import type { Obstacles } from '../obstacles.ts';
import type { AgentPaths } from '../paths.ts';
import type { OtherOwner } from '../state-owner.ts';

/** The agent that is looked at, as far as its agent.yaml can be read. */
export interface Patient {
  readonly loaded: LoadedConfig;
  readonly paths: AgentPaths;
  readonly settings: EffectiveSettings;
  /** The agent that this state belongs to, which is not this one: then nothing is asked of it, nor said. */
  readonly other: OtherOwner | null;
  /** Who works on this state now; null when nobody does. */
  readonly peer: ControlPeer | null;
  /** Of the daemon, else as it is on disk; null with why when neither says. */
  readonly status: Status | null;
  readonly statusFault: string | null;
  readonly obstacles: Obstacles | null;
}
