import type { FileHandle } from 'node:fs/promises';
import type { RunFile } from '../../schemas/console/run.ts';
import type { RunOutput } from '../../schemas/run.ts';
import type { Upload } from '../store/ports/uploads.ts';
import { imageType, looksLikeText } from './file-kind.ts';

/** So much of a file is read to say what it is. */
const LOOK_BYTES = 4_096;
/** A text beyond it is a download. */
const TEXT_MAX_BYTES = 1024 * 1024;
const IMAGE_MAX_BYTES = 32 * 1024 * 1024;
/** Files that are opened to see what they are; the rest are downloads. */
const LOOKED_AT_MAX = 200;

/** The files that a run left, each with the upload of the same name and content, where the agent has sent it. */
export async function runFiles(
  outputs: readonly RunOutput[],
  uploads: readonly Upload[],
  open: (upload: Upload) => Promise<FileHandle | null>,
): Promise<RunFile[]> {
  const byFile = new Map(uploads.map((upload) => [keyOf(upload), upload]));
  const files: RunFile[] = [];
  for (const [index, output] of outputs.entries()) {
    const { name, size, sha256 } = output;
    const upload = byFile.get(keyOf(output)) ?? null;
    const isWhole = upload !== null && upload.completed_at !== null;
    const show = isWhole && index < LOOKED_AT_MAX ? await shown(upload, open) : 'download';
    files.push({
      name,
      size,
      sha256,
      upload_id: upload?.upload_id ?? null,
      received: isWhole ? upload.size : null,
      show,
    });
  }
  return files;
}

async function shown(
  upload: Upload,
  open: (upload: Upload) => Promise<FileHandle | null>,
): Promise<RunFile['show']> {
  if (upload.size > IMAGE_MAX_BYTES) return 'download';
  const handle = await open(upload);
  if (handle === null) return 'download';
  try {
    const { bytesRead, buffer } = await handle.read(Buffer.alloc(LOOK_BYTES), 0, LOOK_BYTES, 0);
    const head = buffer.subarray(0, bytesRead);
    if (imageType(head) !== null) return 'image';
    return upload.size <= TEXT_MAX_BYTES && looksLikeText(head) ? 'text' : 'download';
  } finally {
    await handle.close();
  }
}

function keyOf({ name, sha256 }: { readonly name: string; readonly sha256: string }): string {
  return `${sha256} ${name}`;
}
