import { join } from 'node:path';
import { type Part, type PartBuild, programOf } from './part.ts';
import type { RunStep } from './run-step.ts';

// -v prints each package as it is compiled: that is the progress.
const FLAGS = ['-v', '-ldflags=-s -w'];
const ENVIRONMENT = { CGO_ENABLED: '0', GOFLAGS: '' };

export async function installWithGo(
  part: Part,
  build: PartBuild & { kind: 'go' },
  scratch: string,
  step: RunStep,
): Promise<string> {
  await step('go', ['install', ...FLAGS, `${build.package}@${part.version}`], {
    env: { ...ENVIRONMENT, GOBIN: scratch },
  });
  return join(scratch, programOf(part));
}

/** The module's own go.mod and go.sum say what is built into it. */
export async function buildGoModule(
  part: Part,
  build: PartBuild & { kind: 'go-module' },
  scratch: string,
  step: RunStep,
): Promise<string> {
  const described = await step('go', ['mod', 'download', '-json', `${build.module}@${part.version}`], {
    env: ENVIRONMENT,
  });
  // What it says of its downloads comes before and after the document.
  const document = described.slice(described.indexOf('{'), described.lastIndexOf('}') + 1);
  const { Dir: source } = JSON.parse(document) as { Dir: string };
  const target = join(scratch, programOf(part));
  await step('go', ['build', ...FLAGS, '-trimpath', '-o', target, build.package], {
    cwd: source,
    env: ENVIRONMENT,
  });
  return target;
}
