import { createHash } from 'node:crypto';
import type { RunReport } from '../schemas/run.ts';
import { type UploadFileJob, UploadName, UploadPlaces } from '../schemas/upload.ts';
import { isUploadPlace } from '../sinks/upload-place.ts';
import type { UploadRefused } from '../sinks/upload-sender.ts';
import { refused, type UploadSettings } from './upload-files.ts';

/** What agent.yaml says of uploads, as a yes or a no with its reason. */
export interface UploadRules {
  disabled(): UploadRefused | null;
  overSize(name: string, size: number): UploadRefused | null;
  /** A place the console names for a file of a report. */
  judge(report: RunReport, name: string, place: string): UploadFileJob | UploadRefused;
}

export function createUploadRules(settings: () => UploadSettings): UploadRules {
  const rules: UploadRules = {
    disabled() {
      if (settings().config.uploads.enabled) return null;
      const message =
        'expected uploads.enabled: true in agent.yaml, found false: no file leaves this machine';
      return refused('uploads_disabled', message);
    },
    overSize(name, size) {
      const { max_bytes: most } = settings().config.uploads;
      if (size <= most) return null;
      const message = `${name}: expected at most ${most} bytes (uploads.max_bytes), found ${size}`;
      return refused('file_too_large', message);
    },
    judge(report, name, place) {
      const output = report.outputs.find((each) => each.name === name);
      if (output === undefined || !UploadName.safeParse(name).success) {
        const found = JSON.stringify(name.slice(0, 80));
        return refused('output_unknown', `expected the name of an output, found ${found}`);
      }
      const { saas_url: saasUrl } = settings().config;
      if (saasUrl === undefined || !URL.canParse(place) || !isUploadPlace(new URL(place), saasUrl)) {
        const found = URL.canParse(place) ? new URL(place).origin : 'no URL';
        return refused(
          'place_not_allowed',
          `${name}: expected a place below saas_url, found one on ${found}`,
        );
      }
      const no = rules.overSize(name, output.size);
      if (no !== null) return no;
      const { run_id, attempt, flow } = report;
      const upload_id = uploadId('output', output.sha256, name, run_id);
      return { kind: 'output', upload_id, ...output, run_id, flow, purpose: null, attempt, place };
    },
  };
  return rules;
}

/** The same bytes under the same name for the same run are one upload, however often they are asked for. */
export function uploadId(kind: string, sha256: string, name: string, runId: string | null): string {
  const about = JSON.stringify([kind, sha256, name, runId]);
  return createHash('sha256').update(about).digest('hex').slice(0, 32);
}

/** The places in the answer to a report; none in an answer that is not as specified. */
export function placesIn(answer: string): UploadPlaces['uploads'] {
  if (!answer.includes('"uploads"')) return [];
  try {
    return UploadPlaces.safeParse(JSON.parse(answer)).data?.uploads ?? [];
  } catch {
    return [];
  }
}
