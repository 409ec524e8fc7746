import { createHash } from 'node:crypto';
import { open } from 'node:fs/promises';
import { AgentConfig } from '../schemas/agent-config.ts';
import { type DocumentProblem, formatProblem } from '../system/document-problem.ts';
import { parseYaml } from '../system/yaml-document.ts';
import { accessFault, type ConfigPlace, configPlaces } from './config-access.ts';

const MAX_BYTES = 256 * 1_024;

export interface LoadedConfig {
  readonly kind: 'valid';
  readonly config: AgentConfig;
  /** SHA-256 of the file's bytes, hexadecimal. */
  readonly digest: string;
  /** Dotted paths of every key the file writes, sections too: agent-policy.yaml fills only the others. */
  readonly written: ReadonlySet<string>;
  readonly places: readonly ConfigPlace[];
}

export interface InvalidConfig {
  readonly kind: 'invalid';
  /** Null when there were no bytes to read. */
  readonly digest: string | null;
  readonly problems: readonly DocumentProblem[];
  /** One line a problem, `agent.yaml:12:3: …`. */
  readonly text: string;
}

export interface MissingConfig {
  readonly kind: 'missing';
  readonly text: string;
}

export type ConfigOutcome = LoadedConfig | InvalidConfig | MissingConfig;

export interface LoadOptions {
  /** `unchecked`: a file that is looked at and not obeyed may belong to anybody. Default `checked`. */
  readonly access?: 'checked' | 'unchecked';
}

/**
 * Reads `agent.yaml` (contract, section 2). A file that is there and cannot be read is `invalid`, with the system's reason; likewise
 * one that accounts may write which must not give this one orders.
 */
export async function loadConfigFile(path: string, options: LoadOptions = {}): Promise<ConfigOutcome> {
  let read: Awaited<ReturnType<typeof readBounded>>;
  try {
    read = await readBounded(path);
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') {
      const advice = 'run edge-agent enroll, or name the file with --config';
      return { kind: 'missing', text: `${path}: expected a configuration file, found none; ${advice}` };
    }
    const found = code ?? message;
    return invalid(path, null, [wholeFile(found, 'a file to read')]);
  }
  const { bytes, places } = read;
  const fault = options.access === 'unchecked' ? null : accessFault(places, process.geteuid?.() ?? 0);
  // without a digest: the same bytes are another state once they are trusted again
  if (fault !== null) return invalid(path, null, [wholeFile(fault.found, fault.expected)]);
  const digest = createHash('sha256').update(bytes).digest('hex');
  const outcome = parseYaml(bytes, AgentConfig, { maxBytes: MAX_BYTES });
  if (outcome.kind === 'invalid') return invalid(path, digest, outcome.problems);
  return { kind: 'valid', config: outcome.value, digest, written: writtenKeys(outcome.raw), places };
}

function wholeFile(found: string, expected: string): DocumentProblem {
  return { kind: 'syntax', path: '', found, expected, line: 1, column: 1 };
}

function invalid(path: string, digest: string | null, problems: readonly DocumentProblem[]): InvalidConfig {
  const text = problems.map((problem) => formatProblem(path, problem)).join('\n');
  return { kind: 'invalid', digest, problems, text };
}

/** At most one byte more than the cap, which the parser then refuses. */
async function readBounded(path: string): Promise<{ bytes: Uint8Array; places: readonly ConfigPlace[] }> {
  await using file = await open(path, 'r');
  const found = await file.stat();
  const places = await configPlaces(path, found);
  if (!found.isFile()) throw new Error('something that is no regular file');
  const buffer = Buffer.alloc(MAX_BYTES + 1);
  let length = 0;
  for (;;) {
    const { bytesRead } = await file.read(buffer, length, buffer.length - length, length);
    length += bytesRead;
    if (bytesRead === 0 || length === buffer.length) return { bytes: buffer.subarray(0, length), places };
  }
}

function writtenKeys(raw: unknown): Set<string> {
  const written = new Set<string>();
  const visit = (value: unknown, above: string) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return;
    for (const [key, inner] of Object.entries(value)) {
      const path = above === '' ? key : `${above}.${key}`;
      written.add(path);
      visit(inner, path);
    }
  };
  visit(raw, '');
  return written;
}
