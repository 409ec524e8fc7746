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
 * forged token could as well hand them another `saas_url`. Nor is its end judged here: the clock of a machine that nobody has set up
 * yet is the last one to go by, and the console says so itself. Throws OperationError, exit 2, for what is no token.
 */
export function readEnrolmentToken(input: string): ReadToken {
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
  return { text, claims: parsed.data };
}

function unusable(message: string): OperationError {
  return new OperationError('usage', message, { exitCode: 2 });
}
