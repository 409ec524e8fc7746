import {
  UPLOAD_REQUEST_FILE,
  UPLOAD_REQUEST_MAX_BYTES,
  type UploadJob,
  UploadRequestFile,
} from '../schemas/upload.ts';
import type { UploadRefused } from '../sinks/upload-sender.ts';
import { parseJson } from '../system/json-document.ts';
import { readRange } from '../system/regular-file.ts';
import { refused, type UploadFiles } from './upload-files.ts';

/** The `edge-uploads.json` a flow left among its outputs. */
export async function readUploadRequest(
  files: Pick<UploadFiles, 'output'>,
  job: Extract<UploadJob, { kind: 'request' }>,
): Promise<{ kind: 'read'; uploads: UploadRequestFile['uploads'] } | UploadRefused> {
  const file = await files.output(job.run_id, job.attempt, UPLOAD_REQUEST_FILE);
  if (file.kind === 'refused') return file;
  const invalid = (what: string) => refused('request_invalid', `${UPLOAD_REQUEST_FILE}${what}`);
  try {
    if (file.size > UPLOAD_REQUEST_MAX_BYTES)
      return invalid(`: expected at most ${UPLOAD_REQUEST_MAX_BYTES} bytes, found ${file.size}`);
    const chunks: Uint8Array[] = [];
    for await (const chunk of readRange(file.handle, 0, file.size)) chunks.push(chunk);
    const parsed = parseJson(Buffer.concat(chunks), UploadRequestFile, {
      maxBytes: UPLOAD_REQUEST_MAX_BYTES,
    });
    if (parsed.kind === 'valid') return { kind: 'read', uploads: parsed.value.uploads };
    const [problem] = parsed.problems;
    return invalid(
      `:${problem?.line}:${problem?.column}: expected ${problem?.expected}, found ${problem?.found}`,
    );
  } finally {
    await file.handle.close();
  }
}
