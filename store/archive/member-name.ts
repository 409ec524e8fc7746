import { isWindowsDeviceName } from '../../schemas/names.ts';
import { ArchiveRefusal, quoteName } from './archive-refusal.ts';

const SEGMENT_MAX_BYTES = 255;
const PATH_MAX_BYTES = 1_024;
const DEPTH_MAX = 64;
/** The mark of a complete version is ours to write. */
const RESERVED_AT_ROOT = '.complete';

/**
 * Splits a member's name into its segments, or refuses it: the rules of every platform hold on all of them, so that a bundle
 * that unpacks here unpacks the same there. Empty for the root itself (`./`).
 */
export function splitMemberName(name: string): string[] {
  const path = name.replace(/^\.\//, '').replace(/\/$/, '');
  if (path === '' || path === '.') {
    if (name === './' || name === '.') return [];
    throw refusal(name, 'a name', 'none');
  }
  if (path.startsWith('/')) throw refusal(name, 'a relative path', 'an absolute one');
  if (Buffer.byteLength(path) > PATH_MAX_BYTES) {
    throw refusal(name, `a path of at most ${PATH_MAX_BYTES} bytes`, `${Buffer.byteLength(path)}`);
  }
  const segments = path.split('/');
  if (segments.length > DEPTH_MAX) {
    throw new ArchiveRefusal(
      'caps_exceeded',
      `expected at most ${DEPTH_MAX} folders inside one another, found ${segments.length} in ${quoteName(name)}`,
    );
  }
  for (const segment of segments) checkSegment(name, segment);
  if (segments.length === 1 && nameKey(path) === RESERVED_AT_ROOT) {
    throw refusal(name, 'a bundle without the mark of a complete version', `${RESERVED_AT_ROOT} at its root`);
  }
  return segments;
}

/**
 * Two names with one key are one file somewhere: Windows and macOS fold case, macOS normalises, and HFS+ ignores what is not
 * shown. Upper case first, because that is where `ß` and the long s fold.
 */
export function nameKey(name: string): string {
  if (/^[a-z0-9._-]*$/.test(name)) return name;
  return name
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKC');
}

function checkSegment(name: string, segment: string): void {
  if (/^[A-Za-z0-9_-]+$/.test(segment) && segment.length <= SEGMENT_MAX_BYTES) {
    if (isWindowsDeviceName(segment)) throw refusal(name, 'no name of a Windows device', quoteName(segment));
    return;
  }
  if (segment === '') throw refusal(name, 'no empty folder name', '"//"');
  if (segment === '.' || segment === '..')
    throw refusal(name, 'a path without "." and ".."', quoteName(segment));
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(segment))
    throw refusal(name, 'no control characters', 'one');
  if (segment.includes('\\')) throw refusal(name, 'no backslash', 'one');
  if (segment.includes(':')) throw refusal(name, 'no colon (a drive or a stream on Windows)', 'one');
  if (process.platform === 'win32' && /[<>"|?*]/.test(segment))
    throw refusal(name, 'a name Windows takes', segment);
  if (/[. ]$/.test(segment)) throw refusal(name, 'no dot or space at the end of a name', quoteName(segment));
  const stem = (segment.split('.')[0] ?? '').trimEnd().normalize('NFKC');
  if (isWindowsDeviceName(stem)) throw refusal(name, 'no name of a Windows device', quoteName(segment));
  const bytes = Buffer.byteLength(segment);
  if (bytes > SEGMENT_MAX_BYTES)
    throw refusal(name, `names of at most ${SEGMENT_MAX_BYTES} bytes`, `${bytes}`);
}

function refusal(name: string, expected: string, found: string): ArchiveRefusal {
  return new ArchiveRefusal(
    'archive_refused',
    `expected ${expected}, found ${found} in the member ${quoteName(name)}`,
  );
}
