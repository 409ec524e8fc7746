import type { Command } from 'commander';
import { makeKeyFile, readPublicKey } from '../../agent/key-files.ts';
import { globalsOf } from '../globals.ts';
import { newPassphrase, passphraseInput } from '../passphrase-input.ts';

export function addKeys(program: Command): void {
  const keys = program.command('keys').description('make and show signing keys');

  keys
    .command('new')
    .description('make a private Ed25519 key in a file of mode 0600, and its public half beside it')
    .requiredOption(
      '--out <file>',
      'where to keep it, such as root-ann.jwk (the public half: root-ann.pub.jwk)',
    )
    .option('--passphrase', 'seal it with a passphrase, typed or as a line of standard input')
    .option('--force', 'overwrite a key that is there')
    .action(async (options: { out: string; passphrase?: boolean; force?: boolean }, command: Command) => {
      const { terminal, signal } = globalsOf(command);
      const { out, force = false } = options;
      const sealed = options.passphrase === true ? { passphrase: () => newPassphrase(out, signal) } : {};
      const { key, publicFile } = await makeKeyFile(out, { force, ...sealed });
      terminal.document({ kid: key.kid, file: out, public_file: publicFile, public_jwk: key });
      terminal.line(`kid ${key.kid}`);
      terminal.line(`The private key is in ${out}: keep it to yourself, and a copy in a safe place.`);
      terminal.line(`The public half is in ${publicFile}: this one is for others.`);
    });

  keys
    .command('rotate-device')
    .description('change the device key of this agent; the console takes the new one in the place of the old')
    .action(async (_options, command: Command) => {
      const globals = globalsOf(command);
      const { terminal, signal } = globals;
      const { withOperations } = await import('../agent-access.ts');
      await withOperations(globals, 'keys', async (operations) => {
        const changed = await operations.rotatekey({}, signal);
        terminal.document(changed);
        terminal.line(`The device key is ${changed.thumbprint} now, in the place of ${changed.before}.`);
      });
    });

  keys
    .command('show <file>')
    .description('print the public part of a key and its id, as JSON to hand to others')
    .action(async (file: string, _options, command: Command) => {
      const { terminal, signal } = globalsOf(command);
      const key = await readPublicKey(file, passphraseInput(signal));
      // the same with and without --output json: what is printed is the file to hand on
      terminal.document(key);
      terminal.line(JSON.stringify(key, null, 2));
    });
}
