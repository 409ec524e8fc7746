import { appendFileSync } from 'node:fs';
import { frpc, frps } from '../../scripts/parts/frp.ts';
import { minio } from '../../scripts/parts/minio.ts';
import { findPart, findProgram, inCi } from '../../scripts/parts/part.ts';
import { ffmpeg, playwrightWheels, pythonTuf, uv } from '../../scripts/parts/python-parts.ts';
import { rathole } from '../../scripts/parts/rathole.ts';

const PARTS = { minio, rathole, frpc, frps, uv, playwrightWheels, ffmpeg, pythonTuf };

/**
 * The path of a program that tests need, or null when it is not here and the tests are to be skipped:
 * `const server = requirePart('minio')`, then `describe.skipIf(server === null)`. With CI set it throws instead.
 */
export function requirePart(name: keyof typeof PARTS): string | null {
  return findPart(PARTS[name]) ?? missing(name);
}

/** The same for a program of the distribution (scripts/parts/distribution.ts). */
export function requireProgram(name: 'chromium'): string | null {
  return findProgram(name) ?? missing(name);
}

function missing(name: string): null {
  if (inCi())
    throw new Error(
      `expected ${name} in the cache or on PATH, found none: run scripts/install-test-parts.ts`,
    );
  const notes = process.env['EDGE_AGENT_SKIPPED_PARTS'];
  if (notes !== undefined) appendFileSync(notes, `${name}\n`);
  return null;
}
