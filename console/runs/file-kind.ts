/** The images that a page shows, by how they begin. SVG is none of them: it is a program. */
const IMAGES: readonly { readonly type: string; readonly at: number; readonly magic: string }[] = [
  { type: 'image/png', at: 0, magic: '\x89PNG\r\n\x1a\n' },
  { type: 'image/jpeg', at: 0, magic: '\xff\xd8\xff' },
  { type: 'image/gif', at: 0, magic: 'GIF87a' },
  { type: 'image/gif', at: 0, magic: 'GIF89a' },
  { type: 'image/webp', at: 8, magic: 'WEBP' },
];

/** The media type of an image of the closed list, told by its first bytes (16 are enough), never by its name; else null. */
export function imageType(head: Uint8Array): string | null {
  const text = Buffer.from(head.subarray(0, 16)).toString('latin1');
  const found = IMAGES.find(({ at, magic }) => text.startsWith(magic, at));
  if (found === undefined) return null;
  return found.type === 'image/webp' && !text.startsWith('RIFF') ? null : found.type;
}

/** Whether a file that begins so is text: UTF-8 (the last character may be cut), and no NUL or other byte of binary formats. */
export function looksLikeText(head: Uint8Array): boolean {
  if (head.some((byte) => byte < 0x20 && ![0x09, 0x0a, 0x0c, 0x0d, 0x1b].includes(byte))) return false;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(head, { stream: true });
    return true;
  } catch {
    return false;
  }
}
