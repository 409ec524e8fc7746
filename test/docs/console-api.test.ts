import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { AUDIT_ACTIONS } from '../../console/store/ports/audit.ts';
import { page, ROOT } from './markdown.ts';

describe('console-api.md', () => {
  it('names every address of the console', () => {
    const folder = join(ROOT, 'console/routes');
    const sources = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'utf8'));
    const addresses = new Set(
      sources.flatMap((source) =>
        [...source.matchAll(/'(\/(?:api|edge|hooks|git|raw|artifacts|healthz)\b[^'\s]*)'/g)].map((found) =>
          String(found[1]),
        ),
      ),
    );
    expect(addresses.size).toBeGreaterThan(15);
    const text = page('docs/spec/console-api.md').replaceAll('<slug>', ':slug');
    expect([...addresses].filter((address) => !text.includes(address))).toEqual([]);
  });

  it('names every action of the audit', () => {
    const text = page('docs/spec/console-api.md');
    expect(AUDIT_ACTIONS.filter((action) => !text.includes(`\`${action}\``))).toEqual([]);
  });
});
