import type { RootView } from '../../agent/root-ceremony.ts';
import { ROLE_NAMES } from '../../schemas/root.ts';
import type { Terminal } from '../terminal.ts';
import { signatureLines } from './signatures.ts';

/** A root for people: what it says, who has signed it, and what comes next. */
export function renderRoot(root: Omit<RootView, 'warnings'>, terminal: Terminal): void {
  const { file, version, expires, sha256, roles, own, previous, complete } = root;
  terminal.line(`${terminal.paint('bold', file)}  root ${version}, expires ${expires}`);
  terminal.line(`sha256 ${sha256}`);
  for (const name of ROLE_NAMES) {
    const role = roles[name];
    if (role === undefined) continue;
    terminal.line(`${name}: ${role.threshold} of ${role.keyids.length}`);
    for (const kid of role.keyids) terminal.line(`  ${kid}`);
  }
  terminal.line();
  for (const line of signatureLines(`root keys of root ${version}`, own, terminal)) terminal.line(line);
  if (previous !== null) {
    for (const line of signatureLines(`root keys of root ${version - 1}`, previous, terminal))
      terminal.line(line);
  }
  terminal.line();
  if (!complete) terminal.line(`Next: edge-agent root sign ${file} --key <private.jwk>`);
  else if (previous === null && version > 1) {
    terminal.line(
      `Signed by its own keys. With --previous <file> this also says whether root ${version - 1} vouches for it.`,
    );
  } else terminal.line(`Complete. It belongs on every tenant branch as roots/${version}.root.jws.json.`);
}
