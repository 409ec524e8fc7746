import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

/** Global set-up of vitest: says at the very end which parts were missing, where nobody can overlook it. */
export default function collectSkippedParts(): () => void {
  const notes = join(mkdtempSync(join(tmpdir(), 'edge-agent-parts-')), 'skipped');
  writeFileSync(notes, '');
  // The workers inherit it; requirePart writes there.
  process.env['EDGE_AGENT_SKIPPED_PARTS'] = notes;
  return () => {
    const skipped = [...new Set(readFileSync(notes, 'utf8').split('\n'))].filter((name) => name !== '');
    rmSync(dirname(notes), { recursive: true, force: true });
    if (skipped.length === 0) return;
    console.error(
      `\n!!! SKIPPED: the tests that need ${skipped.join(', ')}. Nothing is known about what they test.`,
    );
    console.error('!!! `npm run setup scripts/install-test-parts.ts` says what is missing.\n');
  };
}
