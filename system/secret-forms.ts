/**
 * The shortest secret that is looked for, in characters. Below it a replacement would hit ordinary words and hide the
 * output instead of the secret.
 */
const SECRET_MIN_CHARS = 4;
/** A line of a multi-line secret (a PEM key) is a secret of its own from this length on: printers indent and re-wrap lines. */
const LINE_MIN_CHARS = 8;

/**
 * Every byte sequence under which a secret may show up in output: as it is, without the white space around it, line by
 * line, and each of those in base64 and base64url (all three alignments), URL-encoded, JSON-escaped and in hex.
 *
 * Of base64 only the characters that the secret alone decides are taken; the character at each end that it shares with
 * its neighbours (at most four bits of the secret's first and last byte) may stay. Source: RFC 4648, RFC 3986, RFC 8259.
 */
export function secretForms(secret: string): Uint8Array[] {
  const forms = new Set<string>();
  for (const text of plainForms(secret)) {
    // latin1 strings of bytes: a Set compares them, and base64 needs bytes anyway.
    forms.add(byteString(text));
    for (const escaped of [...urlForms(text), ...escapedForms(text)]) forms.add(byteString(escaped));
    for (const encoded of [...base64Forms(text), ...hexForms(text)]) forms.add(encoded);
  }
  return [...forms].map((form) => Buffer.from(form, 'latin1'));
}

function byteString(text: string): string {
  return Buffer.from(text, 'utf8').toString('latin1');
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

function* base64Forms(text: string): Generator<string> {
  const bytes = Buffer.from(text, 'utf8');
  for (const before of [0, 1, 2]) {
    const encoded = Buffer.concat([Buffer.alloc(before), bytes]).toString('base64');
    const from = Math.ceil((before * 8) / 6);
    const to = Math.floor(((before + bytes.length) * 8) / 6);
    const decided = encoded.slice(from, to);
    yield decided;
    yield decided.replaceAll('+', '-').replaceAll('/', '_');
  }
}

function* hexForms(text: string): Generator<string> {
  const hex = Buffer.from(text, 'utf8').toString('hex');
  yield hex;
  yield hex.toUpperCase();
}

/** What is left as it is by the encoders in use: RFC 3986 alone, encodeURIComponent, Python's quote, encodeURI. */
const URL_SAFE = [
  /[A-Za-z0-9._~-]/,
  /[A-Za-z0-9._~!'()*-]/,
  /[A-Za-z0-9._~/-]/,
  /[A-Za-z0-9._~!'()*;,/?:@&=+$#-]/,
];
const FORM_SAFE = /[A-Za-z0-9._*-]/;

function* urlForms(text: string): Generator<string> {
  const bytes = [...Buffer.from(text, 'utf8')];
  for (const upper of [true, false]) {
    const percent = (byte: number) => {
      const hex = byte.toString(16).padStart(2, '0');
      return `%${upper ? hex.toUpperCase() : hex}`;
    };
    const encode = (safe: RegExp, space: string | null) =>
      bytes
        .map((byte) => {
          if (byte === 0x20 && space !== null) return space;
          const char = String.fromCharCode(byte);
          return byte < 0x80 && safe.test(char) ? char : percent(byte);
        })
        .join('');
    for (const safe of URL_SAFE) yield encode(safe, null);
    yield encode(FORM_SAFE, '+');
    yield encode(URL_SAFE[0] as RegExp, '+');
    yield bytes.map(percent).join('');
  }
}

function* escapedForms(text: string): Generator<string> {
  const json = JSON.stringify(text).slice(1, -1);
  const ascii = (upper: boolean) =>
    json.replace(/[\u0080-\uffff]/g, (unit) => {
      const hex = unit.charCodeAt(0).toString(16).padStart(4, '0');
      return `\\u${upper ? hex.toUpperCase() : hex}`;
    });
  for (const form of [json, ascii(false), ascii(true)]) {
    yield form;
    // PHP and some JavaScript escape the slash as well.
    yield form.replaceAll('/', '\\/');
    // A JSON text inside a JSON string: a body that is logged as a field.
    yield JSON.stringify(form).slice(1, -1);
    // What Python's repr shows: double quotes stay, single ones may be escaped.
    yield form.replaceAll('\\"', '"');
    yield form.replaceAll('\\"', '"').replaceAll("'", "\\'");
  }
}
