import type { ReleaseView } from '../../agent/release-signing.ts';
import type { Terminal } from '../terminal.ts';
import { spokenDigest } from './digest.ts';
import { signatureLines } from './signatures.ts';

/** A release for people: what it states, and who has signed it. */
export function renderRelease(release: Omit<ReleaseView, 'warnings'>, terminal: Terminal): void {
  const { file, statement, payload_sha256, signatures } = release;
  terminal.line(`${terminal.paint('bold', file)}  release ${statement.seq} of ${statement.tenant}`);
  for (const line of spokenDigest('read out', payload_sha256)) terminal.line(`  ${line}`);
  const facts: [string, string | undefined][] = [
    ['issued', statement.issued],
    ['expires', statement.expires],
    ['root', String(statement.root_version)],
    ['version', statement.version],
    ['min agent', statement.min_agent],
    ['manifest', `${statement.manifest.sha256} (${statement.manifest.length} bytes)`],
    [
      'policy',
      statement.policy === undefined
        ? 'not bound'
        : `${statement.policy.sha256} (${statement.policy.length} bytes)`,
    ],
  ];
  for (const [name, value] of facts) if (value !== undefined) terminal.line(`  ${name.padEnd(10)}${value}`);
  if (signatures === null) terminal.line('Whether its signatures hold, this says with --root <file>.');
  else for (const line of signatureLines('release keys', signatures, terminal)) terminal.line(line);
}
