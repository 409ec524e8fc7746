import type { Stats } from 'node:fs';
import { realpath, stat } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';

/** agent.yaml or the folder of it. */
export interface ConfigPlace {
  readonly path: string;
  readonly kind: 'file' | 'folder';
  readonly mode: number;
  readonly uid: number;
}

export interface AccessFault {
  readonly found: string;
  /** With the command that mends it. */
  readonly expected: string;
}

const OTHERS_WRITE = 0o002;
const GROUP_WRITES = 0o020;
/** In such a folder (/tmp) nobody can replace a file of another account. */
const STICKY = 0o1000;

/**
 * Where a configuration lies: the file as it was opened, the folder it was named in and, behind a link, the folder it is in. None on
 * Windows, whose files have no such modes.
 */
export async function configPlaces(path: string, file: Stats): Promise<ConfigPlace[]> {
  if (process.platform === 'win32') return [];
  const absolute = resolve(path);
  const real = await realpath(absolute).catch(() => absolute);
  const folders = await Promise.all(
    [...new Set([dirname(absolute), dirname(real)])].map(async (folder) => ({
      path: folder,
      kind: 'folder' as const,
      found: await stat(folder).catch(() => null),
    })),
  );
  return [
    { path: real, kind: 'file', mode: file.mode, uid: file.uid },
    ...folders.flatMap(({ found, ...place }) =>
      found === null ? [] : [{ ...place, mode: found.mode, uid: found.uid }],
    ),
  ];
}

/**
 * Who can write agent.yaml is the agent: it names the source, the trust and the account of the flows. So it is refused where every
 * account may write it, and where root would take its orders from the file or folder of an ordinary account.
 */
export function accessFault(places: readonly ConfigPlace[], self: number): AccessFault | null {
  for (const place of places) {
    const { path, kind, uid } = place;
    const found = `a ${kind} that ${who(place, self)} may write: ${path} (${modeAndOwner(place)})`;
    if (writableBy(place, OTHERS_WRITE))
      return { found, expected: `one that other accounts cannot write: chmod o-w ${quoted(path)}` };
    if (self === 0 && uid !== 0)
      return { found, expected: `one of root, as root runs the agent: chown root ${quoted(path)}` };
  }
  return null;
}

/** What a group may write: often a group of one, so it is told by doctor and not refused. */
export function groupWritable(places: readonly ConfigPlace[]): AccessFault | null {
  const place = places.find((one) => writableBy(one, GROUP_WRITES));
  if (place === undefined) return null;
  const found = `${place.path}: a group may write this ${place.kind} (${modeAndOwner(place)})`;
  return { found, expected: `chmod g-w ${quoted(place.path)}` };
}

function writableBy({ kind, mode }: ConfigPlace, bit: number): boolean {
  return (mode & bit) !== 0 && !(kind === 'folder' && (mode & STICKY) !== 0);
}

function who(place: ConfigPlace, self: number): string {
  if (writableBy(place, OTHERS_WRITE)) return 'every account';
  return place.uid === self ? 'this account' : 'an ordinary account';
}

function modeAndOwner({ mode, uid }: ConfigPlace): string {
  const owner = uid === 0 ? 'root' : `uid ${uid}`;
  return `mode ${(mode & 0o7777).toString(8).padStart(4, '0')}, owner ${owner}`;
}

function quoted(path: string): string {
  return /^[\w@%+=:,./-]+$/.test(path) ? path : `'${path.replaceAll("'", String.raw`'\''`)}'`;
}
