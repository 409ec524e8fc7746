// Writes schemas/json/: the documents that users write, sign or read, as JSON Schema for editors and other languages.
//
//   node scripts/generate-json-schemas.ts            write
//   node scripts/generate-json-schemas.ts --check    say which files are out of date
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { AgentConfig } from '../schemas/agent-config.ts';
import { AgentPolicy } from '../schemas/agent-policy.ts';
import { Command } from '../schemas/command.ts';
import { ConsoleSettings } from '../schemas/console/settings.ts';
import { Event } from '../schemas/event.ts';
import { ManifestV1 } from '../schemas/manifest-v1.ts';
import { ManifestV2 } from '../schemas/manifest-v2.ts';
import { ReleaseStatement } from '../schemas/release.ts';
import { Root } from '../schemas/root.ts';
import { RunReport } from '../schemas/run.ts';
import { ReconcileReport, Status } from '../schemas/status.ts';
import { UploadRequestFile } from '../schemas/upload.ts';

const WRITTEN = {
  'agent-config': AgentConfig,
  'agent-policy': AgentPolicy,
  command: Command,
  'console-settings': ConsoleSettings,
  'manifest-v1': ManifestV1,
  'manifest-v2': ManifestV2,
  'release-statement': ReleaseStatement,
  root: Root,
  'upload-request': UploadRequestFile,
};
const READ = { event: Event, 'reconcile-report': ReconcileReport, 'run-report': RunReport, status: Status };

const folder = new URL('../schemas/json/', import.meta.url);
const wanted = new Map<string, string>([
  ...Object.entries(WRITTEN).map(([name, schema]) => [`${name}.json`, text(name, schema, 'input')] as const),
  ...Object.entries(READ).map(([name, schema]) => [`${name}.json`, text(name, schema, 'output')] as const),
]);

mkdirSync(folder, { recursive: true });
const found = new Map(readdirSync(folder).map((name) => [name, readFileSync(new URL(name, folder), 'utf8')]));
const stale = [...new Set([...wanted.keys(), ...found.keys()])].filter(
  (name) => wanted.get(name) !== found.get(name),
);

if (process.argv.includes('--check')) {
  for (const name of stale)
    console.error(`schemas/json/${name} is out of date: run \`npm run generate\` and commit`);
  process.exitCode = stale.length === 0 ? 0 : 1;
} else {
  for (const name of stale) {
    const content = wanted.get(name);
    if (content === undefined) rmSync(new URL(name, folder));
    else writeFileSync(new URL(name, folder), content);
  }
}
console.log(`schemas/json: ${wanted.size} schemas, ${stale.length} out of date`);

function text(title: string, schema: z.ZodType, io: 'input' | 'output'): string {
  return `${JSON.stringify({ title, ...z.toJSONSchema(schema, { io }) }, null, 2)}\n`;
}
