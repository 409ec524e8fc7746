import type { Current } from '../../schemas/current.ts';
import { shortDigest } from './json-view.ts';

/** What `current.json` points at, a flow a line. */
export function pointerLines(current: Current): string[] {
  const flows = Object.entries(current.flows).sort(([a], [b]) => a.localeCompare(b, 'en'));
  const name = Math.max(...flows.map(([id]) => id.length));
  return [
    `current.json  seq ${current.seq?.value ?? '-'}`,
    ...flows.map(([id, { path, sha256 }]) => `  ${id.padEnd(name)} → ${path}  sha256 ${shortDigest(sha256)}`),
  ];
}

/** What differs between two pointers, as a diff shows it. */
export function pointerChanges(before: Current, after: Current): string[] {
  const [old, now] = [pointerLines(before), pointerLines(after)];
  return [
    ...old.filter((line) => !now.includes(line)).map((line) => `- ${line.trim()}`),
    ...now.filter((line) => !old.includes(line)).map((line) => `+ ${line.trim()}`),
  ];
}
