import { createByteMatcher } from './byte-matcher.ts';
import { createRedactionStream, prepareRedaction, type RedactionStream } from './redaction-stream.ts';
import { secretForms } from './secret-forms.ts';

export const REDACTED = '[redacted]';
/** Instead of it where a secret has to do with the mark itself: the first that no secret contains, is part of, or adjoins. */
const OTHER_MARKS = ['***', '•••', '~~~~~', '-----', '(…)', '\u001a'];

export interface Redactor {
  text(text: string): string;
  stream(): RedactionStream;
}

/**
 * Replaces every secret of at least four characters with `[redacted]`, also in base64, base64url, hex and UTF-16
 * (secret-forms.ts), and with any of its characters escaped as in URLs, JSON, shells or HTML (spelling.ts), across chunk
 * borders. One pass whatever the number of secrets; memory bounded by the length of the secrets. Bytes that are no UTF-8
 * pass as they are.
 */
export function createRedactor(secrets: Iterable<string>): Redactor {
  const forms = [...new Set(secrets)].flatMap(secretForms);
  if (forms.length === 0) return NOTHING_SECRET;
  const matcher = createByteMatcher(forms);
  const mark = markFor(forms.map((form) => Buffer.from(form.bytes).toString('latin1')));
  const redaction = prepareRedaction(matcher, mark);
  const stream = () => createRedactionStream(redaction);
  return {
    stream,
    text(text) {
      const whole = stream();
      const bytes = Buffer.from(text, 'utf8');
      const shown = Buffer.concat([whole.write(bytes), whole.end()]);
      // A text without secrets comes back as it is, lone surrogates included.
      return shown.equals(bytes) ? text : shown.toString('utf8');
    },
  };
}

/** A mark that makes no secret of itself and its neighbours. `forms`: bytes as Latin-1. */
function markFor(forms: readonly string[]): string {
  const meets = (text: string) => {
    const mark = Buffer.from(text).toString('latin1');
    return forms.some((form) => {
      if (form.includes(mark) || mark.includes(form)) return true;
      for (let length = 1; length < Math.min(form.length, mark.length); length++) {
        if (form.endsWith(mark.slice(0, length)) || form.startsWith(mark.slice(-length))) return true;
      }
      return false;
    });
  };
  return [REDACTED, ...OTHER_MARKS].find((mark) => !meets(mark)) ?? REDACTED;
}

const NOTHING_SECRET: Redactor = {
  text: (text) => text,
  stream: () => ({ write: (chunk) => chunk, end: () => new Uint8Array(0) }),
};

const SECRET_HEADERS = new Set([
  'authorization',
  'proxy-authorization',
  'cookie',
  'set-cookie',
  'x-amz-security-token',
  'x-api-key',
  'x-auth-token',
  'private-token',
]);

/** A copy of HTTP headers in which those that carry credentials (`Authorization`, `Cookie`, …) have no value. */
export function redactKnownHeaders<Value>(
  headers: Readonly<Record<string, Value>>,
): Record<string, Value | string> {
  return Object.fromEntries(
    Object.entries(headers).map(([name, value]) => [
      name,
      SECRET_HEADERS.has(name.toLowerCase()) ? REDACTED : value,
    ]),
  );
}

/** Each takes time in proportion to the text: no pattern can begin again inside what another try has already read. */
const SCRUBBED: readonly [RegExp, string][] = [
  // A header in a log line or a JSON text, with its scheme: `Authorization: Basic dXNlcjpw`, `"cookie":"sid=1"`.
  [
    /\b((?:proxy-)?authorization|(?:set-)?cookie|x-amz-security-token|x-api-key|x-auth-token|private-token)(\\?["']?\s{0,8}[:=]\s{0,8}\\?["']?)[^\r\n"'\\]+/gi,
    `$1$2${REDACTED}`,
  ],
  [/\b(bearer|basic)(\s{1,8})[\w.~+/=-]{8,}/gi, `$1$2${REDACTED}`],
  // User info of a URL. A password with an `@` in it, not encoded as it should be, goes whole.
  [/:\/\/[^\s/?#"'<>]*@/g, `://${REDACTED}@`],
  // Query parameters that are credentials: presigned S3 URLs, tokens, signatures.
  [
    /([?&;](?:x-amz-(?:signature|credential|security-token)|signature|sig|awsaccesskeyid|(?:access_|id_|refresh_|private_|auth_)?token|api_?key|client_secret|secret|password)=)[^\s&;#"'<>]+/gi,
    `$1${REDACTED}`,
  ],
  // Compact JWS and JWT: what begins with `{"` in base64url and has two dots.
  [/(?<![\w-])eyJ[\w-]+\.[\w-]+\.[\w-]*/g, REDACTED],
  // The private part of a JWK.
  [/(\\?"d\\?"\s{0,8}:\s{0,8}\\?")[\w-]{16,}/g, `$1${REDACTED}`],
  // Tokens that name themselves: GitHub, GitLab.
  [/(?<![\w-])(?:gh[opsur]_|github_pat_|glpat-)[\w-]{16,}/g, REDACTED],
];

/**
 * Takes out of a text for logs, events and errors what is a credential by its shape, known to nobody beforehand:
 * `Authorization` and its like, bearer tokens, URL user info, signatures of presigned URLs, JWTs, private JWKs.
 */
export function scrubText(text: string): string {
  return SCRUBBED.reduce((scrubbed, [pattern, replacement]) => scrubbed.replace(pattern, replacement), text);
}
