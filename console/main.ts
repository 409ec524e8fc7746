import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { CommanderError } from 'commander';
import { buildCommand } from './command-line.ts';
import { TenantFault } from './tenants.ts';

/** `edge-console <verb>`. Exit 0 done, 2 wrong use, 1 anything else (docs/spec/console-api.md). */
export async function main(argv: readonly string[]): Promise<number> {
  const json = argv.includes('--output=json') || argv[argv.indexOf('--output') + 1] === 'json';
  try {
    await buildCommand().parseAsync(argv, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return 0;
      // For people commander has written its sentence already.
      if (json) say({ error: { code: 'wrong_use', message: error.message } });
      return 2;
    }
    const message = error instanceof Error ? error.message : String(error);
    const code = error instanceof TenantFault ? 'wrong_use' : 'failed';
    if (json) say({ error: { code, message } });
    process.stderr.write(`edge-console: ${message}\n`);
    return error instanceof TenantFault ? 2 : 1;
  }
}

function say(document: unknown): void {
  process.stdout.write(`${JSON.stringify(document)}\n`);
}

const script = process.argv[1];
if (script !== undefined && realpathSync(script) === fileURLToPath(import.meta.url)) {
  process.exitCode = await main(process.argv.slice(2));
}
