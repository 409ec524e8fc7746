import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { ZodType } from 'zod';
import { createDocumentParser } from '../../../agent/document-parser.ts';
import { AgentConfig } from '../../../schemas/agent-config.ts';
import { AgentPolicy } from '../../../schemas/agent-policy.ts';
import { ManifestV1 } from '../../../schemas/manifest-v1.ts';
import { ManifestV2 } from '../../../schemas/manifest-v2.ts';
import { type DocumentOutcome, formatProblem } from '../../../system/document-problem.ts';
import { parseJson } from '../../../system/json-document.ts';
import { parseYaml } from '../../../system/yaml-document.ts';
import { check, checkMessage, checkPosition } from '../invariants.ts';
import type { FuzzTarget } from '../target.ts';

const EXAMPLE = readFileSync(join(import.meta.dirname, '../../../examples/agent.yaml'), 'utf8');
/** With every key that the example leaves in comments. */
const UNCOMMENTED = EXAMPLE.replaceAll(/^(\s*)# (\s*(?:- )?[a-z_]+:|\s*- )/gm, '$1$2');
const SHORT = 'version: 1\ntenant: acme\nsource:\n  url: https://git.example/a.git\n';
const SHA = 'ab'.repeat(32);

/** Either the value, held to its schema, or problems at places of the text. */
function checkOutcome(outcome: DocumentOutcome<unknown>, text: string, schema: ZodType): void {
  if (outcome.kind === 'valid') {
    check(schema.safeParse(outcome.raw).success, 'expected what was taken to satisfy the schema');
    return;
  }
  check(outcome.problems.length > 0 && outcome.problems.length <= 50, 'expected 1-50 problems');
  for (const problem of outcome.problems) {
    checkPosition(text, problem);
    checkMessage(formatProblem('file', problem));
  }
}

function yaml(name: string, schema: ZodType, seeds: readonly string[], words: readonly string[]): FuzzTarget {
  return {
    name,
    shape: 'yaml',
    seeds,
    words,
    repeats: [
      'a: ',
      'a: 1\n',
      '- ',
      '[',
      '{',
      '{a: ',
      '? ',
      '&a ',
      '*a ',
      '"',
      "'",
      '\\',
      '#',
      '# a\n',
      '|\n',
      ' ',
      '\t',
      '\n',
      '!',
      '%',
      '---\n',
      ': ',
      ', ',
      'a\n',
      'a: b: ',
      '- a: 1\n  ',
      '<<: ',
    ],
    read(bytes) {
      checkOutcome(parseYaml(bytes, schema), textOf(bytes), schema);
    },
  };
}

function json(
  name: string,
  schema: ZodType,
  seeds: readonly unknown[],
  words: readonly string[],
): FuzzTarget {
  const parser = createDocumentParser();
  return {
    name,
    shape: 'json',
    seeds: seeds.map((seed) => JSON.stringify(seed, null, 1)),
    words,
    repeats: [
      '[',
      '{"a":',
      '"',
      '"a":1,',
      '\\',
      '\\u0000',
      '[],',
      '{},',
      ' ',
      '\n',
      '0',
      '1e',
      '-',
      ',',
      ':',
      '{"a":[',
      'é',
    ],
    read(bytes) {
      checkOutcome(parseJson(bytes, schema, { maxBytes: 8 * 1_024 * 1_024 }), textOf(bytes), schema);
      for (const read of [parser.json, parser.v1, parser.v2]) {
        const outcome = read(bytes, 'manifest.json');
        if (outcome.kind === 'invalid') for (const line of outcome.message.split('\n')) checkMessage(line);
      }
    },
  };
}

/** As the parsers count: without a byte order mark. */
function textOf(bytes: Buffer): string {
  return bytes.toString('utf8').replace(/^\ufeff/, '');
}

const flow = {
  id: 'invoice-bot',
  version: 'v1.0.7',
  edge_url: 'https://minio.example/edge/a.tar.gz',
  sha256: SHA,
  size: 1_048_576,
  runtime: 'playwright',
  cpu_arch: 'any',
  entrypoint: 'runner_42.py',
  args: ['--a'],
  schedule: '*/15 * * * *',
  timeout: '10m',
  lock: 'desktop',
  overlap: 'skip',
  missed: 'run_once',
  retries: 1,
  env: { LOCALE: 'fr-FR' },
  secrets: ['CRM_PASSWORD'],
  depends_on: ['login'],
  targets: { ring: 'canary' },
  health: { args: ['--self-test'], timeout: '30s' },
};
const login = {
  id: 'login',
  version: 'v1',
  edge_url: 's3://edge/b.tar.zst',
  sha256: SHA,
  runtime: 'service',
  service: { port_env: 'PORT', ready: '/health', live: '/health' },
};

export const documentTargets: readonly FuzzTarget[] = [
  yaml(
    'agent-yaml',
    AgentConfig,
    [EXAMPLE, UNCOMMENTED, SHORT, 'a: &x [1, *x]\n'],
    [
      'version: 1',
      'tenant: acme',
      'source:',
      'url: https://a.example',
      'interval: 1m',
      '30s',
      '64KiB',
      'labels:',
      'trust:',
      'mode: off',
      'artifacts:',
      'allow:',
      'tunnel:',
      'kind: rathole',
      'runs:',
      'retention:',
      'windows:',
      '0 3 * * 0',
      'executors:',
      'uploads:',
      'update:',
      'telemetry:',
      'log:',
      'env:',
      'http://127.0.0.1',
    ],
  ),
  yaml(
    'agent-policy',
    AgentPolicy,
    [
      'version: 1\nruns:\n  concurrency: 2\n  default_timeout: 5m\nretention:\n  keep_versions: 3\n  schedule: "0 3 * * 0"\nmaintenance:\n  windows:\n    - "* 22-23 * * *"\nsource:\n  interval: 5m\n',
    ],
    ['runs:', 'retention:', 'maintenance:', 'source:', 'interval: 1m', 'trust:'],
  ),
  json(
    'manifest-v1',
    ManifestV1,
    [
      {
        edge_url: 'https://minio.example/edge/a.tar.gz',
        sha256: SHA,
        runtime: 'python',
        cpu_arch: 'x86_64',
        version: 'v1.2.3',
        flow_id: 'a',
        entrypoint: 'main.py',
        size: 10,
      },
    ],
    ['edge_url', 'sha256', 'runtime', 'size', 'manifest_version'],
  ),
  json(
    'manifest-v2',
    ManifestV2,
    [
      { manifest_version: 2, flows: [flow, login] },
      { manifest_version: 2, flows: [], allow_empty: true },
    ],
    [
      'flows',
      'id',
      'version',
      'depends_on',
      'targets',
      'service',
      'health',
      'schedule',
      'allow_empty',
      'env',
      'secrets',
    ],
  ),
];
