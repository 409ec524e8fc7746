import { createHash } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import type { Stalled } from '../reconciler/ports.ts';
import { printable } from '../system/printable.ts';
import { readSmallFile } from '../system/small-file.ts';

/** In this order: the first that is there and asks for something counts. */
const FILES = ['requirements.lock', 'requirements.txt'] as const;
/** Folders of wheels for machines without internet, at the root of the bundle. */
const WHEEL_HOUSES = ['wheelhouse', 'wheels'] as const;
const FILE_MAX_BYTES = 1024 * 1024;
const REQUIREMENTS_MAX = 2_000;

/** One package, at one version, with the only files that will do. */
export interface Requirement {
  /** As PEP 503 normalises it. */
  readonly name: string;
  readonly version: string;
  /** As pip reads it, on one line, hashes included. */
  readonly line: string;
}

export interface Requirements {
  readonly kind: 'locked';
  readonly file: string;
  /** Of the file's bytes. */
  readonly sha256: string;
  readonly packages: readonly Requirement[];
  /** Absolute; null when packages come from an index. */
  readonly wheelHouse: string | null;
}

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?$/;
const VERSION = /^[A-Za-z0-9][A-Za-z0-9.!+_-]{0,127}$/;
const EXTRAS = /^\[[A-Za-z0-9._, -]{0,256}\]$/;
const MARKER = /^[A-Za-z0-9_."'<>=!~() ,+*-]{1,1024}$/;
const HASH = /^(?:sha256:[0-9a-f]{64}|sha384:[0-9a-f]{96}|sha512:[0-9a-f]{128})$/;
/** They change nothing: it is done so anyway. */
const NEEDLESS = /^(?:--require-hashes|--only-binary(?:[= ]\S+)?|--prefer-binary)$/;
/** The public index, as pip-compile writes it: not gone by, the configuration of the machine says where packages come from. */
const USUAL_INDEX = /^(?:-i|--index-url)[= ]https:\/\/pypi\.\w+\/simple\/?$/;

const HOW =
  'make a lock with `uv pip compile --generate-hashes requirements.in -o requirements.lock` (or pip-compile --generate-hashes) and put it into the bundle';

/**
 * What packages a bundle asks for; null when none. Every requirement is `name==version` with hashes, so that the same lock
 * gives the same environment everywhere and the digest of the bundle decides what is installed; what is not is refused by
 * name (`requirements_invalid`). Formats: pip's requirements files, PEP 508, PEP 503.
 */
export async function readRequirements(directory: string): Promise<Requirements | Stalled | null> {
  for (const file of FILES) {
    const found = await readSmallFile(join(directory, file), FILE_MAX_BYTES);
    if (found.kind === 'absent') continue;
    if (found.kind === 'too_large') return refused(file, `at most ${FILE_MAX_BYTES} bytes`, 'more');
    const lines = logicalLines(Buffer.from(found.bytes).toString('utf8'));
    if (lines.length === 0) continue;
    if (lines.length > REQUIREMENTS_MAX)
      return refused(file, `at most ${REQUIREMENTS_MAX} requirements`, `${lines.length}`);
    const packages: Requirement[] = [];
    for (const line of lines) {
      const read = readLine(line);
      if (read === 'needless') continue;
      if ('expected' in read) return refused(file, read.expected, read.found);
      packages.push(read);
    }
    if (packages.length === 0) continue;
    const sha256 = createHash('sha256').update(found.bytes).digest('hex');
    return { kind: 'locked', file, sha256, packages, wheelHouse: await wheelHouse(directory) };
  }
  return null;
}

function refused(file: string, expected: string, found: string): Stalled {
  return {
    kind: 'stalled',
    code: 'requirements_invalid',
    message: `${file}: expected ${expected}, found ${printable(found)}; ${HOW}`,
  };
}

/** Without comments, line continuations joined. */
function logicalLines(text: string): string[] {
  return text
    .replace(/^\uFEFF/, '')
    .replace(/^[^\S\r\n]*#.*$/gm, '')
    .replace(/\\[^\S\r\n]*\r?\n/g, ' ')
    .split(/\r?\n|\r/)
    .map((line) =>
      line
        .replace(/(?:^|\s)#.*$/, '')
        .replace(/\s+/g, ' ')
        .trim(),
    )
    .filter((line) => line !== '');
}

function readLine(line: string): Requirement | 'needless' | { expected: string; found: string } {
  const shown = line.length > 120 ? `${line.slice(0, 120)}…` : line;
  if (line.startsWith('-')) {
    if (NEEDLESS.test(line) || USUAL_INDEX.test(line)) return 'needless';
    const index = /^(?:-i|-f|--index-url|--extra-index-url|--find-links|--trusted-host)\b/.test(line);
    const expected = index
      ? 'an index named in the configuration of pip or uv on the machine (compile with --no-emit-index-url)'
      : 'requirements only';
    return { expected, found: `"${index ? (shown.split(/[= ]/)[0] as string) : shown}"` };
  }
  const [head = '', ...hashes] = line.split(/ --hash[= ]/);
  const [pinned = '', ...marker] = head.split(';');
  const [named = '', ...versions] = pinned.split(/={2,3}/).map((part) => part.trim());
  const version = versions.length === 1 ? (versions[0] as string) : '';
  const [name = '', ...extras] = named.split(/(?=\[)/).map((part) => part.trim());
  if (!NAME.test(name) || extras.some((extra) => !EXTRAS.test(extra)))
    return { expected: 'name==version --hash=…', found: `"${shown}"` };
  if (!VERSION.test(version)) return { expected: `${name}==<version>`, found: `"${shown}"` };
  if (hashes.length === 0) return { expected: `hashes of ${name}==${version}`, found: 'none' };
  const wrong = hashes.find((hash) => !HASH.test(hash.trim()));
  if (wrong !== undefined)
    return {
      expected: `hashes of ${name} such as sha256:<64 hex digits>`,
      found: `"${wrong.slice(0, 120)}"`,
    };
  const condition = marker.join(';').trim();
  // What looks like an option may be one to pip.
  if (condition !== '' && (!MARKER.test(condition) || /(?:^| )-/.test(condition)))
    return { expected: `a condition as PEP 508 has them for ${name}`, found: `"${condition.slice(0, 120)}"` };
  return {
    name: normalisedName(name),
    version,
    line: [
      `${name}${extras.join('')}==${version}${condition === '' ? '' : ` ; ${condition}`}`,
      ...hashes.map((hash) => `--hash=${hash.trim()}`),
    ].join(' '),
  };
}

function normalisedName(name: string): string {
  return name.replace(/[-_.]+/g, '-').toLowerCase();
}

async function wheelHouse(directory: string): Promise<string | null> {
  for (const name of WHEEL_HOUSES) {
    const folder = join(directory, name);
    const files = await readdir(folder).catch(() => []);
    if (files.some((file) => file.endsWith('.whl'))) return folder;
  }
  return null;
}
