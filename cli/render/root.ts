import type { RootView } from '../../agent/root-ceremony.ts';
import { ROLE_NAMES } from '../../schemas/root.ts';
import type { Terminal } from '../terminal.ts';
import { spokenDigest } from './digest.ts';
import { signatureLines } from './signatures.ts';

/** A root for people: what it says, who has signed it, and what comes next. `names` are of keys they know, null where they named none. */
export function renderRoot(
  root: Omit<RootView, 'warnings'>,
  terminal: Terminal,
  names: ReadonlyMap<string, string> | null = null,
): void {
  const { file, version, expires, sha256, payload_sha256, roles, own, previous, changes, complete } = root;
  const named = (kid: string): string => {
    if (names === null) return kid;
    const name = names.get(kid);
    return `${kid}  ${name ?? terminal.paint('yellow', 'unknown')}`;
  };
  terminal.line(`${terminal.paint('bold', file)}  root ${version}, expires ${expires}`);
  for (const line of spokenDigest('read out', payload_sha256)) terminal.line(line);
  terminal.line(`file      sha256 ${sha256}`);
  for (const name of ROLE_NAMES) {
    const role = roles[name];
    if (role === undefined) continue;
    terminal.line(`${name}: ${role.threshold} of ${role.keyids.length}`);
    for (const kid of role.keyids) terminal.line(`  ${named(kid)}`);
  }
  terminal.line();
  if (changes !== null) {
    for (const line of changeLines(changes, version, named, terminal)) terminal.line(line);
    terminal.line();
  }
  for (const line of signatureLines(`root keys of root ${version}`, own, terminal, named))
    terminal.line(line);
  if (previous !== null) {
    for (const line of signatureLines(`root keys of root ${version - 1}`, previous, terminal, named))
      terminal.line(line);
  }
  terminal.line();
  // without it the answer neither shows what has changed nor counts the old keys
  const against = version > 1 ? ` --previous <root ${version - 1}>` : '';
  if (!complete) terminal.line(`Next: edge-agent root sign ${file}${against} --key <private.jwk>`);
  else if (previous === null && version > 1) {
    terminal.line(
      `Signed by its own keys. With --previous <file> this also says whether root ${version - 1} vouches for it.`,
    );
  } else terminal.line(`Complete. It belongs on every tenant branch as roots/${version}.root.jws.json.`);
}

function changeLines(
  { expires, roles }: NonNullable<RootView['changes']>,
  version: number,
  named: (kid: string) => string,
  terminal: Terminal,
): string[] {
  const lines = [`Since root ${version - 1}:`];
  if (expires.from !== expires.to) lines.push(`  expires ${expires.from} → ${expires.to}`);
  for (const { role, added, removed, threshold } of roles) {
    const { from, to } = threshold;
    const signatures = from === to ? '' : `  threshold ${from ?? 'none'} → ${to ?? 'none'}`;
    lines.push(`  ${role}${signatures}`);
    for (const kid of added) lines.push(`    ${terminal.paint('green', '+')} ${named(kid)}`);
    for (const kid of removed) lines.push(`    ${terminal.paint('red', '-')} ${named(kid)}`);
  }
  if (roles.length === 0) lines.push('  the same keys and thresholds');
  return lines;
}
