import { readFileSync } from 'node:fs';
import { z } from 'zod';
import type { CommandVerifier, ReleaseVerifier } from '../reconciler/ports.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import { SIGNED_DOCUMENT_MAX_BYTES } from '../schemas/jws.ts';
import { type CommandVerifierOptions, createCommandVerifier } from '../trust/command-verifier.ts';
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

type Authority = NonNullable<CommandVerifierOptions['authority']>;

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
  const { tenant } = config;
  const pinnedRoot = paths.root === null ? null : readRoot(paths.root);
  if (mode === 'tuf') return makeTuf({ tenant, pinnedRoot });
  return {
    release: createReleaseVerifier({ mode, tenant, pinnedRoot }),
    command: createCommandVerifier({ tenant, pinnedRoot }),
  };
}

/** Loaded when the first release, or the first command, is looked at: whoever has no TUF repository pays nothing for it. */
function makeTuf(options: { tenant: string; pinnedRoot: string | null }): Omit<Verifiers, 'key'> {
  const { tenant, pinnedRoot } = options;
  let release: Promise<ReleaseVerifier> | null = null;
  let authority: Promise<Authority> | null = null;
  return {
    release: {
      mode: 'tuf',
      async verify(...given) {
        release ??= import('../trust/tuf/release-verifier.ts').then((tuf) =>
          tuf.createTufReleaseVerifier(options),
        );
        return (await release).verify(...given);
      },
    },
    command: createCommandVerifier({
      tenant,
      pinnedRoot,
      async authority(memory) {
        authority ??= import('../trust/tuf/trigger-keys.ts').then((tuf) =>
          tuf.tufCommandAuthority(pinnedRoot),
        );
        return (await authority)(memory);
      },
    }),
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
    const document = z
      .union([z.object({ payload: z.string() }), z.object({ signed: z.unknown() })])
      .parse(JSON.parse(readRoot(paths.root)));
    const root =
      'payload' in document
        ? (JSON.parse(Buffer.from(document.payload, 'base64url').toString('utf8')) as unknown)
        : document.signed;
    return z.object({ version: z.int().min(1) }).parse(root).version;
  } catch {
    return 0;
  }
}
