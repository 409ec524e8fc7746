import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { normaliseRelease } from '../reconciler/normalise-release.ts';
import { TRIGGER_KEYS_FILE } from '../reconciler/ports.ts';
import { loadConfigFile } from '../sources/config-file.ts';
import { createDocumentParser } from './document-parser.ts';

export interface ValidatedFile {
  readonly file: string;
  readonly kind: 'agent' | 'manifest' | 'policy' | 'trigger-keys';
  readonly sha256: string | null;
  /** One sentence each, with file, line and column. */
  readonly problems: readonly string[];
}

/** Checks one file by what its name says it is: `trigger-keys.json` those, other `*.json` a manifest, `*policy*.yaml` a policy, other YAML an agent.yaml. */
export async function validateFile(file: string): Promise<ValidatedFile> {
  const name = basename(file);
  const kind = kindOf(name);
  if (kind === 'agent') {
    const loaded = await loadConfigFile(file, { access: 'unchecked' });
    if (loaded.kind === 'valid') return { file, kind, sha256: loaded.digest, problems: [] };
    return { file, kind, sha256: null, problems: loaded.text.split('\n') };
  }
  let bytes: Uint8Array;
  try {
    bytes = await readFile(file);
  } catch (error) {
    return {
      file,
      kind,
      sha256: null,
      problems: [`${file}: expected a file to read, found ${foundInstead(error)}`],
    };
  }
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return { file, kind, sha256, problems: await problemsOf(kind, bytes, file) };
}

function foundInstead(error: unknown): string {
  const { code, message } = error as NodeJS.ErrnoException;
  return code === 'ENOENT' ? 'none' : (code ?? message);
}

function kindOf(name: string): ValidatedFile['kind'] {
  if (name === TRIGGER_KEYS_FILE) return 'trigger-keys';
  if (name.endsWith('.json')) return 'manifest';
  return /policy/.test(name) ? 'policy' : 'agent';
}

async function problemsOf(
  kind: Exclude<ValidatedFile['kind'], 'agent'>,
  bytes: Uint8Array,
  file: string,
): Promise<string[]> {
  if (kind === 'trigger-keys') {
    const { readTriggerKeys } = await import('../trust/tuf/trigger-keys.ts');
    const read = readTriggerKeys(bytes, file);
    return read.kind === 'refused' ? [read.message] : [];
  }
  const parser = createDocumentParser();
  if (kind === 'policy') {
    const parsed = parser.policy(bytes, file);
    return parsed.kind === 'valid' ? [] : [parsed.message];
  }
  const snapshot = {
    revision: `tenant/x@sha1:${'0'.repeat(40)}`,
    fingerprint: '',
    commit: null,
    tags: [],
    files: new Map(),
  };
  const normalised = normaliseRelease(parser, snapshot, bytes, undefined, file);
  return normalised.kind === 'stalled' ? [normalised.message] : [];
}
