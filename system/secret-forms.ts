/**
 * The shortest secret that is looked for, in characters. Below it a replacement would hit ordinary words and hide the
 * output instead of the secret.
 */
const SECRET_MIN_CHARS = 4;
/** A line of a multi-line secret (a PEM key) is a secret of its own from this length on: printers indent and re-wrap lines. */
const LINE_MIN_CHARS = 8;
/** Longer secrets are files, and nobody gives PowerShell a file in base64 of UTF-16. Keeps the matcher of a key small. */
const UTF16_BASE64_MAX_CHARS = 256;

/** A byte sequence that is a secret. `wraps`: encoders break it into lines (base64, hex). */
export interface SecretForm {
  readonly bytes: Uint8Array;
  readonly wraps: boolean;
}

/**
 * The byte sequences to look for: a secret as it is, without the white space around it, line by line, and each of those in
 * Latin-1, UTF-16, base64, base64url (all three alignments) and hex. Escapes character by character (`%41`, `\u0041`) are
 * not listed, there are too many ways to mix them: spelling.ts reads them back.
 *
 * Of base64 only the characters that the secret alone decides are taken; the character at each end that it shares with
 * its neighbours (at most four bits of the secret's first and last byte) may stay. Source: RFC 4648.
 */
export function secretForms(secret: string): SecretForm[] {
  // latin1 strings of bytes: a Map compares them, and base64 needs bytes anyway.
  const forms = new Map<string, boolean>();
  for (const text of plainForms(secret)) {
    for (const bytes of characterForms(text)) forms.set(bytes.toString('latin1'), false);
    for (const bytes of [Buffer.from(text, 'utf8'), ...utf16(text)]) {
      for (const encoded of [...base64Forms(bytes), ...hexForms(bytes)]) forms.set(encoded, true);
    }
  }
  return [...forms].map(([form, wraps]) => ({ bytes: Buffer.from(form, 'latin1'), wraps }));
}

function utf16(text: string): Buffer[] {
  return text.length <= UTF16_BASE64_MAX_CHARS ? [Buffer.from(text, 'utf16le')] : [];
}

function plainForms(secret: string): Set<string> {
  const forms = new Set<string>();
  if (secret.trim().length >= SECRET_MIN_CHARS) {
    forms.add(secret);
    forms.add(secret.trim());
  }
  const lines = secret.split(/[\r\n]+/);
  if (lines.length > 1) {
    for (const line of lines) if (line.trim().length >= LINE_MIN_CHARS) forms.add(line.trim());
  }
  return forms;
}

/** UTF-8; with the `+` of forms for spaces; and where they are other bytes, Latin-1 and both orders of UTF-16. */
function* characterForms(text: string): Generator<Buffer> {
  yield Buffer.from(text, 'utf8');
  if (text.includes(' ')) yield Buffer.from(text.replaceAll(' ', '+'), 'utf8');
  if (/^[\0-\xff]*$/.test(text)) {
    // UTF-16 of these is the same bytes with a NUL between them, which spelling.ts leaves out.
    yield Buffer.from(text, 'latin1');
  } else {
    const littleEndian = Buffer.from(text, 'utf16le');
    yield littleEndian;
    yield Buffer.from(littleEndian).swap16();
  }
}

function* base64Forms(bytes: Uint8Array): Generator<string> {
  for (const before of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const from = Math.ceil((before * 8) / 6);
    const to = Math.floor(((before + bytes.length) * 8) / 6);
    const decided = encoded.slice(from, to);
    yield decided;
    yield decided.replaceAll('+', '-').replaceAll('/', '_');
  }
}

function* hexForms(bytes: Buffer): Generator<string> {
  const hex = bytes.toString('hex');
  yield hex;
  yield hex.toUpperCase();
}
