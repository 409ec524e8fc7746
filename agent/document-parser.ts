import { z } from 'zod';
import type { ReconcileDeps } from '../reconciler/context.ts';
import type { Parsed } from '../reconciler/normalise-release.ts';
import { AgentPolicy } from '../schemas/agent-policy.ts';
import { ManifestV1 } from '../schemas/manifest-v1.ts';
import { ManifestV2 } from '../schemas/manifest-v2.ts';
import { type DocumentOutcome, formatProblem } from '../system/document-problem.ts';
import { parseJson } from '../system/json-document.ts';
import { parseYaml } from '../system/yaml-document.ts';

const MANIFEST_MAX_BYTES = 8 * 1024 * 1024;
/** Sentences of a message; the rest is counted. */
const PROBLEMS_SHOWN = 5;

/** Parses what comes with a revision; every message names file, line, column, found and expected. */
export function createDocumentParser(): ReconcileDeps['parser'] {
  const options = { maxBytes: MANIFEST_MAX_BYTES };
  return {
    json: (bytes, file) => told(file, parseJson(bytes, z.json(), options)),
    v1: (bytes, file) => told(file, parseJson(bytes, ManifestV1, options)),
    v2: (bytes, file) => told(file, parseJson(bytes, ManifestV2, options)),
    policy: (bytes, file) => told(file, parseYaml(bytes, AgentPolicy)),
  };
}

function told<T>(file: string, outcome: DocumentOutcome<T>): Parsed<T> {
  if (outcome.kind === 'valid') return { kind: 'valid', value: outcome.value };
  const shown = outcome.problems.slice(0, PROBLEMS_SHOWN).map((problem) => formatProblem(file, problem));
  const rest = outcome.problems.length - shown.length;
  return { kind: 'invalid', message: shown.join('\n') + (rest > 0 ? `\n(and ${rest} more)` : '') };
}
