import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { CommandVerifier, ReleaseVerifier } from '../reconciler/ports.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import { SIGNED_DOCUMENT_MAX_BYTES } from '../schemas/jws.ts';
import { createCommandVerifier } from '../trust/command-verifier.ts';
import { createReleaseVerifier } from '../trust/release-verifier.ts';
import { OperationError } from './operation-error.ts';
import type { AgentPaths } from './paths.ts';

export interface ReleaseCheck {
  /** For the configuration in force; the pinned root is read when `trust.root` changes, and never again. */
  verifier(config: AgentConfig, paths: AgentPaths): ReleaseVerifier;
  /** By the same root, whatever `trust.mode` says of releases: without `trust.root` there are no commands. */
  commandVerifier(config: AgentConfig, paths: AgentPaths): CommandVerifier;
}

interface Verifiers {
  readonly key: string;
  readonly release: ReleaseVerifier;
  readonly command: CommandVerifier;
}

export function createReleaseCheck(): ReleaseCheck {
  let made: Verifiers | null = null;
  const inForce = (config: AgentConfig, paths: AgentPaths): Verifiers => {
    const key = JSON.stringify([config.trust, config.tenant, paths.root]);
    if (made?.key !== key) made = { key, ...make(config, paths) };
    return made;
  };
  return {
    verifier: (config, paths) => inForce(config, paths).release,
    commandVerifier: (config, paths) => inForce(config, paths).command,
  };
}

function make(config: AgentConfig, paths: AgentPaths): Omit<Verifiers, 'key'> {
  const { mode } = config.trust;
  if (mode === 'tuf') {
    const message =
      'trust.mode: expected required, optional or off, found tuf, which this version does not offer yet';
    throw new OperationError('config_invalid', message, { exitCode: 2 });
  }
  const { tenant } = config;
  const pinnedRoot = paths.root === null ? null : readRoot(paths.root);
  return {
    release: createReleaseVerifier({ mode, tenant, pinnedRoot }),
    command: createCommandVerifier({ tenant, pinnedRoot }),
  };
}

function readRoot(path: string): string {
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length <= SIGNED_DOCUMENT_MAX_BYTES) return text;
    throw new Error(`expected at most ${SIGNED_DOCUMENT_MAX_BYTES} bytes`);
  } catch (cause) {
    const why =
      (cause as NodeJS.ErrnoException).code === 'ENOENT' ? 'found no such file' : (cause as Error).message;
    const message = `trust.root: expected the pinned root document at ${path}, ${why}; enrol this agent, or correct the path`;
    throw new OperationError('config_invalid', message, { exitCode: 2, cause });
  }
}

/** Version of the pinned root as it says itself, 0 when there is none: only a hint of where to look for the next one. */
export function pinnedRootVersion(paths: AgentPaths): number {
  if (paths.root === null) return 0;
  try {
    const { payload } = z.object({ payload: z.string() }).parse(JSON.parse(readRoot(paths.root)));
    const root = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as unknown;
    return z.object({ version: z.int().min(1) }).parse(root).version;
  } catch {
    return 0;
  }
}
