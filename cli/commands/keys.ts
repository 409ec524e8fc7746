import type { Command } from 'commander';
import { makeKeyFile, readPublicKey } from '../../agent/key-files.ts';
import { globalsOf } from '../globals.ts';

export function addKeys(program: Command): void {
  const keys = program.command('keys').description('make and show signing keys');

  keys
    .command('new')
    .description('make a private Ed25519 key in a file of mode 0600')
    .requiredOption('--out <file>', 'where to keep it, such as root-ann.jwk')
    .option('--force', 'overwrite a key that is there')
    .action(async (options: { out: string; force?: boolean }, command: Command) => {
      const { terminal } = globalsOf(command);
      const key = await makeKeyFile(options.out, { force: options.force === true });
      terminal.document({ kid: key.kid, file: options.out, public_jwk: key });
      terminal.line(`kid ${key.kid}`);
      terminal.line(`The private key is in ${options.out}: keep it to yourself, and a copy in a safe place.`);
      terminal.line(`What others may have of it: edge-agent keys show ${options.out}`);
    });

  keys
    .command('show <file>')
    .description('print the public part of a key and its id, as JSON to hand to others')
    .action(async (file: string, _options, command: Command) => {
      const { terminal } = globalsOf(command);
      const key = await readPublicKey(file);
      // the same with and without --output json: what is printed is the file to hand on
      terminal.document(key);
      terminal.line(JSON.stringify(key, null, 2));
    });
}
