import { EnrolmentToken } from '../schemas/enrolment.ts';
import { isStrictBase64url } from '../schemas/jws.ts';
import { parseStrictJson } from '../trust/strict-json.ts';
import { OperationError } from './operation-error.ts';

const TOKEN_MAX_CHARACTERS = 8_192;

export interface ReadToken {
  /** As it goes to the console. */
  readonly text: string;
  readonly claims: EnrolmentToken;
}

/**
 * What an enrolment token says. Its signature is not checked here: it is the console's own (a key only the console has), and the
 * console checks it. Here it only says which console to ask and which root to expect back; whoever can hand a person a
 * forged token could as well hand them another `saas_url`. Throws OperationError: exit 2 for what is no token, 4 for an expired one.
 */
export function readEnrolmentToken(input: string, now: Date): ReadToken {
  const text = input.trim();
  const expected =
    'an enrolment token, as "token new" of the console prints it (three parts joined by dots, on one line)';
  if (text === '') throw unusable(`expected ${expected}, found nothing`);
  if (text.length > TOKEN_MAX_CHARACTERS) {
    throw unusable(
      `expected ${expected} of at most ${TOKEN_MAX_CHARACTERS} characters, found ${text.length}`,
    );
  }
  const parts = text.split('.');
  const payload = parts[1];
  if (
    parts.length !== 3 ||
    payload === undefined ||
    !parts.every((part) => part !== '' && isStrictBase64url(part))
  ) {
    throw unusable(
      `expected ${expected}, found another text of ${text.length} characters; copy it again, whole`,
    );
  }
  const json = parseStrictJson(Buffer.from(payload, 'base64url'));
  const parsed = EnrolmentToken.safeParse(json.kind === 'parsed' ? json.value : undefined);
  if (!parsed.success) {
    const issue = parsed.error.issues[0];
    const where =
      issue === undefined || issue.path.length === 0 ? '' : ` (${issue.path.join('.')}: ${issue.message})`;
    throw unusable(
      `expected a token that says tenant, saas_url, root_sha256, exp and jti, found another one${where}; ask for a new one`,
    );
  }
  const expires = new Date(parsed.data.exp * 1_000);
  if (!(expires.getTime() > now.getTime())) {
    const message = `expected a token that is still good, found one that expired at ${iso(expires)} (this machine's clock says ${iso(now)}); ask for a new one, or set the clock`;
    throw new OperationError('enrolment_failed', message, {
      exitCode: 4,
      details: { code: 'token_expired' },
    });
  }
  return { text, claims: parsed.data };
}

function iso(time: Date): string {
  return Number.isNaN(time.getTime()) ? 'a time that is none' : `${time.toISOString().slice(0, -5)}Z`;
}

function unusable(message: string): OperationError {
  return new OperationError('usage', message, { exitCode: 2 });
}
