import type { RunReport } from '../schemas/run.ts';
import { UPLOAD_REQUEST_FILE, UPLOADS_PATH, type UploadPlaces } from '../schemas/upload.ts';
import type { ConsoleState } from './state.ts';
import type { Agent } from './store/ports/agents.ts';

/** An agent reads 64 KiB of an answer; what finds no room is not asked for. */
const PLACES_MAX = 200;
const PLACES_MAX_BYTES = 48 * 1_024;

/**
 * Places for the outputs of a reported run, for the answer to it; nothing when the tenant's outputs are not wanted. The place
 * is the collection: an upload is made when the agent asks, and one that consents to nothing leaves nothing behind here.
 */
export async function placesFor(
  state: Pick<ConsoleState, 'uploads' | 'publicUrl'>,
  limits: { readonly uploadBytes: number },
  agent: Agent,
  report: RunReport,
): Promise<Partial<UploadPlaces>> {
  if (!(await state.uploads.outputsWanted(agent.tenant))) return {};
  const upload_url = state.publicUrl() + UPLOADS_PATH;
  const uploads: UploadPlaces['uploads'] = [];
  let bytes = 0;
  for (const { name, size, sha256 } of report.outputs) {
    if (size > limits.uploadBytes || name === UPLOAD_REQUEST_FILE) continue;
    if (await state.uploads.has(agent.agent_id, { sha256, name, run_id: report.run_id })) continue;
    const place = { name, upload_url };
    bytes += Buffer.byteLength(JSON.stringify(place)) + 1;
    if (uploads.length >= PLACES_MAX || bytes > PLACES_MAX_BYTES) break;
    uploads.push(place);
  }
  return uploads.length === 0 ? {} : { uploads };
}
