import type { BranchCheck } from '../reconciler/ports.ts';
import type { EnrolAnswer, EnrolmentToken } from '../schemas/enrolment.ts';
import { readDraft } from '../trust/ceremony/draft.ts';
import { checkRoot } from '../trust/ceremony/root-check.ts';
import { sha256Hex } from '../trust/jws.ts';
import { OperationError } from './operation-error.ts';
import { ceremony } from './root-ceremony.ts';
import { looksLikeTufRoot, tufRootFault } from './tuf-root.ts';

/** The root that came back is the one the token pins, it holds, and it is for the tenant that was asked for. Else exit 3. */
export async function believeAnswer(answer: EnrolAnswer, claims: EnrolmentToken): Promise<void> {
  const found = sha256Hex(Buffer.from(answer.root, 'utf8'));
  if (found !== claims.root_sha256) {
    throw notBelieved(
      `expected the root with sha256 ${claims.root_sha256} that the token pins, found one with ${found}: whoever answered at ${claims.saas_url} is not whom the token is from; nothing was kept`,
      'root_mismatch',
    );
  }
  if (answer.tenant !== claims.tenant) {
    throw notBelieved(
      `expected an answer for tenant ${claims.tenant}, found one for ${answer.tenant}; nothing was kept`,
      'tenant_mismatch',
    );
  }
  if (answer.git.token != null && !/^[\x21-\x7e]+$/.test(answer.git.token)) {
    throw notBelieved(
      'expected a git token of printable characters on one line, found another',
      'git_token_malformed',
    );
  }
  if (looksLikeTufRoot(answer.root)) {
    const fault = await tufRootFault(answer.root);
    if (fault === null) return;
    throw notBelieved(`${fault}; sign it and ask for a new token`, 'root_threshold_not_met');
  }
  const { complete, own } = await ceremony(() => checkRoot(readDraft(answer.root, 'root')));
  if (complete) return;
  throw notBelieved(
    `expected a root signed by ${own.threshold} of its root keys, found ${own.signed.length}; sign it and ask for a new token`,
    'root_threshold_not_met',
  );
}

/** A tenant without a branch has nothing to run: that is for its support to put right (exit 4), in the words of the contract. */
export async function expectBranch(
  check: BranchCheck,
  tenant: string,
  locale: 'fr' | 'en',
  signal: AbortSignal,
): Promise<void> {
  const found = await check.exists(tenant, signal);
  if (found === 'exists') return;
  if (found === 'missing') {
    const message =
      locale === 'fr'
        ? 'Branche inexistante — contactez le support.'
        : `The branch tenant/${tenant} does not exist — contact support.`;
    throw new OperationError('branch_missing', message, {
      exitCode: 4,
      details: { branch: `tenant/${tenant}` },
    });
  }
  const message = `expected to hear whether the branch tenant/${tenant} exists, found no answer to that; repeat the command with the same token`;
  throw new OperationError('unreachable', message, { exitCode: 5 });
}

function notBelieved(message: string, code: string): OperationError {
  return new OperationError('enrolment_refused', message, { exitCode: 3, details: { code } });
}
