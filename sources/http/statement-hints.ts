/** What a release statement says of the files beside it; believed by nobody, it only tells what to look for. */
export interface StatementHints {
  readonly manifestSha256: string | null;
  readonly policySha256: string | null;
  readonly rootVersion: number | null;
}

/** Reads the payload of a General JSON JWS without checking anything. Null when there is nothing to read. */
export function statementHints(document: Uint8Array): StatementHints | null {
  try {
    const { payload } = JSON.parse(new TextDecoder().decode(document)) as { payload: string };
    const statement = JSON.parse(Buffer.from(payload, 'base64url').toString('utf8')) as {
      manifest?: { sha256?: unknown };
      policy?: { sha256?: unknown };
      root_version?: unknown;
    };
    const text = (value: unknown) => (typeof value === 'string' ? value : null);
    const { root_version: version } = statement;
    return {
      manifestSha256: text(statement.manifest?.sha256),
      policySha256: text(statement.policy?.sha256),
      rootVersion: Number.isSafeInteger(version) ? (version as number) : null,
    };
  } catch {
    return null;
  }
}
