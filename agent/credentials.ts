import { join } from 'node:path';
import { ArtifactCredentials, FlowSecrets } from '../schemas/credentials.ts';
import { parseJson } from '../system/json-document.ts';
import { readPrivateFile } from '../system/private-file.ts';
import { parseYaml } from '../system/yaml-document.ts';

const MAX_BYTES = 256 * 1024;

/** A credentials file that is there and cannot be used. The message never holds its content. */
export class CredentialsError extends Error {
  override name = 'CredentialsError';
}

export interface Credentials {
  /** `token` or `user:token`, null when there is no git-token: anonymous. */
  gitToken(): Promise<string | null>;
  artifacts(): Promise<ArtifactCredentials | null>;
  secrets(): Promise<FlowSecrets>;
}

/**
 * The files of `credentials_dir` (contract, section 2), read anew each time: a rotated token counts at once. Those that others may
 * read are closed to them, unless `asIs`: whoever only looks changes nothing.
 */
export function createCredentials(directory: string, asIs = false): Credentials {
  const readPrivate = (path: string) => readPrivateText(path, asIs);
  return {
    async gitToken() {
      const text = await readPrivate(join(directory, 'git-token'));
      const token = text?.trim() ?? '';
      if (token.includes('\n')) {
        throw new CredentialsError(`${join(directory, 'git-token')}: expected one line, token or user:token`);
      }
      return token === '' ? null : token;
    },
    async artifacts() {
      const path = join(directory, 'artifacts.json');
      const text = await readPrivate(path);
      if (text === null) return null;
      const parsed = parseJson(text, ArtifactCredentials, { maxBytes: MAX_BYTES, secret: true });
      if (parsed.kind === 'invalid') {
        throw new CredentialsError(
          `${path}: expected {"access_key": "…", "secret_key": "…"} and nothing else`,
        );
      }
      return parsed.value;
    },
    async secrets() {
      const path = join(directory, 'secrets.yaml');
      const text = await readPrivate(path);
      if (text === null || text.trim() === '') return {};
      const parsed = parseYaml(text, FlowSecrets, { secret: true });
      if (parsed.kind === 'invalid') {
        const where = parsed.problems.map((problem) => `${problem.line}:${problem.column}`).join(', ');
        throw new CredentialsError(`${path}: expected lines of NAME: "value"; look at ${where}`);
      }
      return parsed.value;
    },
  };
}

async function readPrivateText(path: string, asIs: boolean): Promise<string | null> {
  const file = await readPrivateFile(path, MAX_BYTES, asIs);
  if (file.kind === 'unusable') throw new CredentialsError(file.message, { cause: file.cause });
  return file.kind === 'read' ? file.text : null;
}
