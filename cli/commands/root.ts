import { type Command, InvalidArgumentError, Option } from 'commander';
import { readPublicKey } from '../../agent/key-files.ts';
import {
  combineRootFiles,
  draftFirstRoot,
  draftNextRoot,
  type FilesByRole,
  type RootView,
  showRootFile,
  signRootFile,
  type ThresholdsByRole,
} from '../../agent/root-ceremony.ts';
import { ROLE_NAMES, type RoleName } from '../../schemas/root.ts';
import { expiryOf } from '../expiry.ts';
import { globalsOf } from '../globals.ts';
import { passphraseInput } from '../passphrase-input.ts';
import { renderRoot } from '../render/root.ts';

/** Of options that are made of a role's name, such as `addRootKey`; commander puts them into camel case. */
type RoleOptions = Readonly<Record<string, readonly string[] | number | undefined>>;

interface SignOptions {
  key: string;
  expect?: string;
  previous?: string;
  known?: string[];
  out?: string;
  force?: boolean;
}

export function addRoot(program: Command): void {
  const root = program.command('root').description('make, sign and rotate the root of trust');
  addNew(root);
  addSign(root);
  addCombine(root);
  addRotate(root);
  addShow(root);
}

function addNew(root: Command): void {
  const command = root.command('new').description('draft the first root; its root keys sign it next');
  for (const role of ROLE_NAMES)
    command.option(`--${role}-key <file...>`, `public key of the ${role} role`, collect);
  thresholds(expires(command))
    .option('--out <file>', 'where to put it', '1.root.jws.json')
    .option('--force', 'overwrite what is there')
    .action(
      async (options: RoleOptions & { expires: string; out: string; force?: boolean }, command: Command) => {
        const plan = {
          keys: byRole(options, (role) => `${role}Key`),
          thresholds: thresholdsOf(options),
          expires: expiryOf(options.expires, new Date()),
          out: options.out,
          force: options.force === true,
        };
        await tell(await draftFirstRoot(plan), command);
      },
    );
}

function addSign(root: Command): void {
  root
    .command('sign <file>')
    .description('add one signature; signers do this one after another, or each on a copy for "root combine"')
    .requiredOption('--key <file>', 'private key of the signer')
    .option('--expect <digits>', 'sign only if the payload has this SHA-256, or its first 16 digits or more')
    .option('--previous <file>', 'the root before, to say what changes and whether its threshold is met')
    .option('--known <file...>', 'public keys that you know: they are called by their files', collect)
    .option('--out <file>', 'where to put it (default: the same file)')
    .option('--force', 'overwrite another document there')
    .action(async (file: string, options: SignOptions, command: Command) => {
      const { key, expect = null, previous = null, out = null, force = false, known = [] } = options;
      const ask = passphraseInput(globalsOf(command).signal);
      await tell(await signRootFile({ file, key, expect, previous, out, force, ask }), command, known);
    });
}

function addCombine(root: Command): void {
  root
    .command('combine <files...>')
    .description('bring together copies of one root that several people signed')
    .requiredOption('--out <file>', 'where to put it; a copy of the same document there is replaced')
    .option('--previous <file>', 'the root before, to say whether its threshold is met')
    .option('--force', 'overwrite another document there')
    .action(
      async (
        files: string[],
        options: { out: string; previous?: string; force?: boolean },
        command: Command,
      ) => {
        const { out, previous = null, force = false } = options;
        await tell(await combineRootFiles(files, out, { previous, force }), command);
      },
    );
}

function addRotate(root: Command): void {
  const command = root
    .command('rotate <previous>')
    .description('draft the next root; root keys of the previous one and its own sign it next');
  for (const role of ROLE_NAMES) {
    command.option(`--add-${role}-key <file>`, `public key to add to the ${role} role`, collect);
    command.option(
      `--remove-${role}-key <kid>`,
      `id, or file, of a key to take out of the ${role} role`,
      collect,
    );
  }
  thresholds(expires(command))
    .option('--out <file>', 'where to put it (default: <n>.root.jws.json)')
    .option('--force', 'overwrite what is there')
    .action(
      async (
        previous: string,
        options: RoleOptions & { expires: string; out?: string; force?: boolean },
        command: Command,
      ) => {
        const plan = {
          previous,
          add: byRole(options, (role) => `add${capital(role)}Key`),
          remove: byRole(options, (role) => `remove${capital(role)}Key`),
          thresholds: thresholdsOf(options),
          expires: expiryOf(options.expires, new Date()),
          out: options.out ?? null,
          force: options.force === true,
        };
        await tell(await draftNextRoot(plan), command);
      },
    );
}

function addShow(root: Command): void {
  root
    .command('show <file>')
    .description('print what a root says, who has signed it and who is missing')
    .option('--previous <file>', 'the root before: says what changes; its keys must have signed, too')
    .option('--known <file...>', 'public keys that you know: they are called by their files', collect)
    .action(async (file: string, options: { previous?: string; known?: string[] }, command: Command) => {
      await tell(await showRootFile(file, options.previous ?? null), command, options.known);
    });
}

async function tell(
  { warnings, ...view }: RootView,
  command: Command,
  known: readonly string[] = [],
): Promise<void> {
  const { terminal } = globalsOf(command);
  const names = new Map<string, string>();
  for (const file of known) names.set((await readPublicKey(file)).kid, file);
  for (const warning of warnings) terminal.note(`warning: ${warning}`);
  terminal.document({ ...view, known: Object.fromEntries(names), warnings });
  renderRoot(view, terminal, names.size === 0 ? null : names);
}

function expires(command: Command): Command {
  return command.option('--expires <when>', 'a duration such as 365d, or a day such as 2027-06-30', '365d');
}

function thresholds(command: Command): Command {
  for (const role of ROLE_NAMES) {
    const option = new Option(`--${role}-threshold <n>`, `signatures of ${role} keys it takes`);
    command.addOption(option.argParser(wholeNumber));
  }
  return command;
}

function thresholdsOf(options: RoleOptions): ThresholdsByRole {
  const given: Partial<Record<RoleName, number>> = {};
  for (const role of ROLE_NAMES) {
    const threshold = options[`${role}Threshold`];
    if (typeof threshold === 'number') given[role] = threshold;
  }
  return given;
}

function byRole(options: RoleOptions, nameOf: (role: RoleName) => string): FilesByRole {
  const given: Partial<Record<RoleName, readonly string[]>> = {};
  for (const role of ROLE_NAMES) {
    const values = options[nameOf(role)];
    if (Array.isArray(values)) given[role] = values;
  }
  return given;
}

function collect(value: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), value];
}

function wholeNumber(text: string): number {
  if (/^[1-9]\d{0,2}$/.test(text)) return Number(text);
  throw new InvalidArgumentError('Expected a whole number of 1 or more.');
}

function capital(role: string): string {
  return `${role.charAt(0).toUpperCase()}${role.slice(1)}`;
}
