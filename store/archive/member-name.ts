import { isWindowsDeviceName } from '../../schemas/names.ts';
import { ArchiveRefusal, quoteName } from './archive-refusal.ts';
import type { ArchiveRule } from './archive-rules.ts';

const SEGMENT_MAX_BYTES = 255;
const PATH_MAX_BYTES = 1_024;
const DEPTH_MAX = 64;
/** The mark of a complete version is ours to write. */
const RESERVED_AT_ROOT = '.complete';
/** `LONGFI~1.TXT`: NTFS gives such a name to a file whose own is longer, so it may mean another member. */
const SHORT_NAME = /^(?=[^.]{3,8}(?:\.|$))[^.]+~[0-9]+(?:\.[^.]{0,3})?$/;

/**
 * Splits a member's name into its segments, or refuses it: the rules of every platform hold on all of them, so that a bundle
 * that unpacks here unpacks the same there. Empty for the root itself (`./`).
 */
export function splitMemberName(name: string): string[] {
  const path = name.replace(/^\.\//, '').replace(/\/$/, '');
  if (path === '' || path === '.') {
    if (name === './' || name === '.') return [];
    throw refusal('name_missing', name, 'a name', 'none');
  }
  if (path.startsWith('/')) throw refusal('absolute_path', name, 'a relative path', 'an absolute one');
  if (Buffer.byteLength(path) > PATH_MAX_BYTES) {
    throw refusal(
      'path_length',
      name,
      `a path of at most ${PATH_MAX_BYTES} bytes`,
      `${Buffer.byteLength(path)}`,
    );
  }
  const segments = path.split('/');
  if (segments.length > DEPTH_MAX) {
    throw new ArchiveRefusal(
      'depth',
      `expected at most ${DEPTH_MAX} folders inside one another, found ${segments.length} in ${quoteName(name)}`,
    );
  }
  for (const segment of segments) checkSegment(name, segment);
  // As a folder too, and one that only lies above a member.
  if (nameKey(segments[0] ?? '') === RESERVED_AT_ROOT) {
    throw refusal(
      'reserved_name',
      name,
      'a bundle without the mark of a complete version',
      `${RESERVED_AT_ROOT} at its root`,
    );
  }
  return segments;
}

/**
 * Two names with one key are one file somewhere: Windows and macOS fold case, macOS normalises, and HFS+ ignores what is not
 * shown. Through upper case, because that is where `ß` and the long s fold, and through lower case before, where `ẞ` becomes `ß`.
 */
export function nameKey(name: string): string {
  if (/^[a-z0-9._-]*$/.test(name)) return name;
  return name
    .normalize('NFKC')
    .replace(/\p{Default_Ignorable_Code_Point}/gu, '')
    .toLowerCase()
    .toUpperCase()
    .toLowerCase()
    .normalize('NFKC');
}

function checkSegment(name: string, segment: string): void {
  if (/^[A-Za-z0-9_-]+$/.test(segment) && segment.length <= SEGMENT_MAX_BYTES) {
    if (isWindowsDeviceName(segment)) throw deviceName(name, segment);
    return;
  }
  if (segment === '') throw refusal('empty_segment', name, 'no empty folder name', '"//"');
  if (segment === '.' || segment === '..')
    throw refusal('dot_segment', name, 'a path without "." and ".."', quoteName(segment));
  // oxlint-disable-next-line no-control-regex -- these are what is looked for
  if (/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/.test(segment))
    throw refusal('control_character', name, 'no control characters', 'one');
  if (segment.includes('\\')) throw refusal('backslash', name, 'no backslash', 'one');
  if (segment.includes(':')) throw refusal('colon', name, 'no colon (a drive or a stream on Windows)', 'one');
  if (/[<>"|?*]/.test(segment))
    throw refusal('windows_character', name, 'none of < > " | ? *, which Windows does not take', 'one');
  if (/[. ]$/.test(segment)) {
    throw refusal('trailing_dot_or_space', name, 'no dot or space at the end of a name', quoteName(segment));
  }
  const stem = (segment.split('.')[0] ?? '').trimEnd().normalize('NFKC');
  if (isWindowsDeviceName(stem)) throw deviceName(name, segment);
  if (SHORT_NAME.test(segment)) {
    throw refusal('short_name', name, 'no name that Windows also gives to a longer one', quoteName(segment));
  }
  const bytes = Buffer.byteLength(segment);
  if (bytes > SEGMENT_MAX_BYTES)
    throw refusal('name_length', name, `names of at most ${SEGMENT_MAX_BYTES} bytes`, `${bytes}`);
}

function deviceName(name: string, segment: string): ArchiveRefusal {
  return refusal('device_name', name, 'no name of a Windows device', quoteName(segment));
}

function refusal(rule: ArchiveRule, name: string, expected: string, found: string): ArchiveRefusal {
  return new ArchiveRefusal(rule, `expected ${expected}, found ${found} in the member ${quoteName(name)}`);
}
