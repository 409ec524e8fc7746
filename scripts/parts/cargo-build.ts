import { cpSync, globSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Part, type PartBuild, programOf } from './part.ts';
import type { RunStep } from './run-step.ts';

/** A test needs it to work, not to be fast: half the time of a release build. */
const QUICK = {
  CARGO_PROFILE_RELEASE_LTO: 'false',
  CARGO_PROFILE_RELEASE_CODEGEN_UNITS: '16',
  CARGO_PROFILE_RELEASE_OPT_LEVEL: '1',
};

/**
 * Builds the crate's own program with its own lock file. `cargo install --locked` does the same but for `updates`:
 * a lock file of years ago may name a package that today's compiler does not take.
 */
export async function buildWithCargo(
  part: Part,
  build: PartBuild & { kind: 'cargo' },
  scratch: string,
  step: RunStep,
): Promise<string> {
  const env = { ...QUICK, CARGO_TARGET_DIR: join(scratch, 'target') };
  // Of all that cargo does with a crate that is no dependency, this alone brings its source.
  await step('cargo', ['info', `${build.crate}@${part.version}`], { env });
  const source = join(scratch, 'source');
  cpSync(sourceOf(build.crate, part.version), source, { recursive: true });
  for (const [name, version] of Object.entries(build.updates)) {
    await step('cargo', ['update', '--package', name, '--precise', version], { cwd: source, env });
  }
  const features = ['--no-default-features', '--features', build.features.join(',')];
  await step('cargo', ['build', '--release', '--locked', '--jobs', '2', ...features], { cwd: source, env });
  return join(scratch, 'target', 'release', programOf(part));
}

function sourceOf(crate: string, version: string): string {
  const home = process.env['CARGO_HOME'] ?? join(homedir(), '.cargo');
  const [found] = globSync(join(home, 'registry', 'src', '*', `${crate}-${version}`));
  if (found === undefined)
    throw new Error(`expected the source of ${crate} ${version} in ${home}/registry/src, found none`);
  return found;
}
