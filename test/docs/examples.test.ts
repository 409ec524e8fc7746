import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { z } from 'zod';
import { AgentConfig } from '../../schemas/agent-config.ts';
import { AgentPolicy } from '../../schemas/agent-policy.ts';
import { Command } from '../../schemas/command.ts';
import { ConsoleSettings } from '../../schemas/console/settings.ts';
import { Current } from '../../schemas/current.ts';
import { EnvironmentMark } from '../../schemas/environment-mark.ts';
import { Event } from '../../schemas/event.ts';
import { GeneralJws } from '../../schemas/jws.ts';
import { ManifestV1 } from '../../schemas/manifest-v1.ts';
import { ManifestV2 } from '../../schemas/manifest-v2.ts';
import { ReleaseStatement } from '../../schemas/release.ts';
import { Root } from '../../schemas/root.ts';
import { RunReport } from '../../schemas/run.ts';
import { Status } from '../../schemas/status.ts';
import { UploadPlaces, UploadRequestFile } from '../../schemas/upload.ts';
import { CompleteMark } from '../../store/complete-mark.ts';
import { Sidecar } from '../../store/partial-download.ts';
import { formatProblem } from '../../system/document-problem.ts';
import { parseYaml } from '../../system/yaml-document.ts';
import { EMPTY_TRUST_MEMORY } from '../../trust/memory.ts';
import { createReleaseVerifier } from '../../trust/release-verifier.ts';
import { parseRoot } from '../../trust/root.ts';
import { anchorsIn, examplesIn, linksIn, page, pagesBelow, ROOT } from './markdown.ts';

/** What an example may be of. Strict where the document is: an example must not show members that do not exist. */
const SCHEMAS: Readonly<Record<string, z.ZodType>> = {
  'agent-config': AgentConfig,
  'agent-policy': AgentPolicy,
  'console-settings': ConsoleSettings,
  'manifest-v1': z.strictObject(ManifestV1.shape),
  'manifest-v2': ManifestV2,
  'release-statement': z.strictObject(ReleaseStatement.shape),
  root: Root,
  command: Command,
  'signed-document': GeneralJws,
  status: z.strictObject(Status.shape),
  event: z.strictObject(Event.shape),
  'run-report': z.strictObject(RunReport.shape),
  current: z.strictObject(Current.shape),
  'complete-mark': z.strictObject(CompleteMark.shape),
  'environment-mark': z.strictObject(EnvironmentMark.shape),
  'part-note': z.strictObject(Sidecar.shape),
  'upload-request': UploadRequestFile,
  'upload-places': z.strictObject(UploadPlaces.shape),
};
const PAGES = pagesBelow('docs');
const EXAMPLES = PAGES.flatMap(examplesIn);

/** What is wrong with the text of an example; empty when nothing is. */
function faultsOf(mark: string, text: string): string[] {
  const schema = SCHEMAS[mark];
  if (schema === undefined) return [`expected one of ${Object.keys(SCHEMAS).join(', ')}, found ${mark}`];
  if (mark === 'agent-config' || mark === 'agent-policy' || mark === 'console-settings') {
    const parsed = parseYaml(text, schema);
    return parsed.kind === 'valid' ? [] : parsed.problems.map((problem) => formatProblem(mark, problem));
  }
  const parsed = schema.safeParse(JSON.parse(text));
  return parsed.success
    ? []
    : parsed.error.issues.map((issue) => `${issue.path.join('.')}: ${issue.message}`);
}

describe('examples in the documentation', () => {
  it.each(EXAMPLES)('$where is a valid $mark', ({ mark, text }) => {
    expect(faultsOf(mark, text)).toEqual([]);
  });

  it('are there for every kind of document', () => {
    expect(new Set(EXAMPLES.map(({ mark }) => mark))).toEqual(new Set(Object.keys(SCHEMAS)));
  });

  it.each([
    ['agent-config', 'version: 1\ntenant: acme\nsource: { url: https://git.example/a.git }\nlables: {}\n'],
    ['manifest-v2', '{"manifest_version": 2, "flows": [{"id": "a"}]}'],
    ['manifest-v3', '{}'],
  ])('a wrong %s is found', (mark, text) => {
    expect(faultsOf(mark, text)).not.toEqual([]);
  });

  it('shows a release that an agent believes under the root shown', async () => {
    const texts = (mark: string) =>
      examplesIn('docs/spec/release.md')
        .filter((example) => example.mark === mark)
        .map(({ text }) => text);
    const [release = '', pinnedRoot = ''] = texts('signed-document');
    const files = new Map([
      ['release.jws.json', Buffer.from(release)],
      ['manifest.json', Buffer.from(texts('manifest-v1')[0] ?? '')],
    ]);
    const revision = `tenant/acme@sha1:${'0'.repeat(40)}`;
    const verifier = createReleaseVerifier({ mode: 'required', tenant: 'acme', pinnedRoot });
    const verdict = await verifier.verify(
      { revision, fingerprint: revision, commit: null, tags: [], files },
      EMPTY_TRUST_MEMORY,
      new Date('2026-11-21T00:00:00Z'),
    );
    expect(verdict).toMatchObject({
      kind: 'verified',
      statement: JSON.parse(texts('release-statement')[0] ?? ''),
    });
    const read = parseRoot(Buffer.from(JSON.parse(pinnedRoot).payload, 'base64url'), 'the root shown');
    expect(read).toEqual({ kind: 'root', root: JSON.parse(texts('root')[0] ?? '') });
    const keys = verdict.kind === 'verified' ? verdict.seq?.keys : '';
    expect(page('docs/spec/release.md')).toContain(`\n${keys}\n`);
  });
});

describe('links in the documentation', () => {
  const linking = [...PAGES, 'README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'JOURNAL.md'].filter((path) =>
    existsSync(join(ROOT, path)),
  );

  it.each(linking)('of %s lead somewhere', (path) => {
    const broken = linksIn(page(path)).filter((target) => {
      const [file = '', anchor] = target.split('#');
      const to = file === '' ? path : join(dirname(path), decodeURIComponent(file));
      if (!existsSync(join(ROOT, to))) return true;
      return anchor !== undefined && to.endsWith('.md') && !anchorsIn(page(to)).has(anchor);
    });
    expect(broken).toEqual([]);
  });

  it('are there at all', () => {
    expect(linking).toContain('CONTRIBUTING.md');
    expect(linking.flatMap((path) => linksIn(page(path))).length).toBeGreaterThan(30);
  });
});

describe('paths of code in the documentation', () => {
  const PATH =
    /`((?:schemas|reconciler|trust|sources|store|executors|sinks|system|agent|cli|console|scripts|test)\/[\w./-]+\.\w+)`/g;
  // Decisions tell what was so when they were taken.
  const present = PAGES.filter(
    (path) => !path.startsWith('docs/decisions/') && path !== 'docs/benchmarks.md',
  );

  it.each(present)('of %s exist', (path) => {
    const named = Array.from(page(path).matchAll(PATH), (match) => match[1] as string);
    expect(named.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });
});
