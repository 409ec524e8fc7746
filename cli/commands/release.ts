import { type Command, InvalidArgumentError } from 'commander';
import type { AskPassphrase } from '../../agent/key-files.ts';
import {
  addReleaseSignature,
  combineReleaseFiles,
  type ReleaseView,
  showReleaseFile,
  signReleaseFile,
} from '../../agent/release-signing.ts';
import { EXIT } from '../exit-codes.ts';
import { expiryOf, inUtc } from '../expiry.ts';
import { CommandFailure } from '../failure.ts';
import { globalsOf } from '../globals.ts';
import { passphraseInput } from '../passphrase-input.ts';
import { renderRelease } from '../render/release.ts';

interface SignOptions {
  manifest?: string;
  policy?: string;
  root?: string;
  key: string[];
  tenant?: string;
  seq?: number;
  previous?: string;
  expires: string;
  flowVersion?: string;
  minAgent?: string;
  add?: string;
  expect?: string;
  out?: string;
  force?: boolean;
}

export function addRelease(program: Command): void {
  const release = program.command('release').description('sign what shall run, and look at what was signed');

  release
    .command('sign')
    .description('sign a statement about a manifest (or, with --add, add a signature to one)')
    .option('--manifest <file>', 'manifest.json, exactly as it will lie on the branch')
    .option('--policy <file>', 'agent-policy.yaml, to bind it too')
    .option('--root <file>', 'the root in force: <n>.root.jws.json')
    .requiredOption('--key <file...>', 'private release key; repeat it for several')
    .option('--tenant <slug>', 'whose release it is (default: as in the previous release)')
    .option('--seq <n>', 'number of the release (default: one more than the previous one)', wholeNumber)
    .option('--previous <file>', 'the release before (default: release.jws.json beside the manifest)')
    .option('--expires <when>', 'a duration such as 90d, or a day such as 2027-06-30', '90d')
    .option('--flow-version <version>', 'name of the version, such as v1.0.7, for a manifest without one')
    .option('--min-agent <version>', 'the oldest agent that may take it, such as 1.4.0')
    .option('--add <file>', 'a signed release to add a signature to')
    .option(
      '--expect <digits>',
      'with --add: sign only if the payload has this SHA-256, or its first 16 digits or more',
    )
    .option(
      '--out <file>',
      'where to put it (default: release.jws.json beside the manifest, or the file of --add)',
    )
    .option('--force', 'with --add: overwrite another document at --out')
    .action(async (options: SignOptions, command: Command) => {
      const ask = passphraseInput(globalsOf(command).signal);
      tell(await (options.add === undefined ? sign(options, ask) : add(options, options.add, ask)), command);
    });

  release
    .command('combine <files...>')
    .description('bring together copies of one release that several people signed')
    .requiredOption('--out <file>', 'where to put it; a copy of the same document there is replaced')
    .option('--root <file>', 'the root in force: <n>.root.jws.json')
    .option('--force', 'overwrite another document there')
    .action(
      async (files: string[], options: { out: string; root?: string; force?: boolean }, command: Command) => {
        const { out, root = null, force = false } = options;
        tell(await combineReleaseFiles(files, out, { root, force }), command);
      },
    );

  release
    .command('show <file>')
    .description('print what a release states, and with --root who has signed it')
    .option('--root <file>', 'the root in force: <n>.root.jws.json')
    .action(async (file: string, options: { root?: string }, command: Command) => {
      tell(await showReleaseFile(file, options.root ?? null), command);
    });
}

async function sign(options: SignOptions, ask: AskPassphrase): Promise<ReleaseView> {
  const { manifest, root } = options;
  if (options.expect !== undefined)
    throw usage('--expect: expected --add <file> beside it, found none: a new statement has no digest yet');
  if (manifest === undefined) throw usage('expected --manifest <file> (or --add <file>), found neither');
  if (root === undefined) throw usage('expected --root <file>, the root in force, found none');
  const now = new Date();
  return signReleaseFile({
    manifest,
    policy: options.policy ?? null,
    root,
    keys: options.key,
    tenant: options.tenant ?? null,
    seq: options.seq ?? null,
    previous: options.previous ?? null,
    issued: inUtc(now),
    expires: expiryOf(options.expires, now),
    version: options.flowVersion ?? null,
    minAgent: options.minAgent ?? null,
    out: options.out ?? null,
    ask,
  });
}

const FIXED_BY_STATEMENT = ['tenant', 'seq', 'previous', 'flowVersion', 'minAgent'] as const;

async function add(options: SignOptions, file: string, ask: AskPassphrase): Promise<ReleaseView> {
  if (FIXED_BY_STATEMENT.some((name) => options[name] !== undefined)) {
    throw usage(
      '--add signs a statement as it is: expected no --tenant, --seq, --previous, --flow-version or --min-agent beside it',
    );
  }
  const {
    key: keys,
    root = null,
    manifest = null,
    policy = null,
    out = null,
    expect = null,
    force = false,
  } = options;
  return addReleaseSignature({ file, keys, root, manifest, policy, out, expect, force, ask });
}

function tell({ warnings, ...view }: ReleaseView, command: Command): void {
  const { terminal } = globalsOf(command);
  for (const warning of warnings) terminal.note(`warning: ${warning}`);
  terminal.document({ ...view, warnings });
  renderRelease(view, terminal);
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (/^[1-9]\d*$/.test(text) && Number.isSafeInteger(number)) return number;
  throw new InvalidArgumentError('Expected a whole number of 1 or more.');
}

function usage(message: string): CommandFailure {
  return new CommandFailure('usage', message, EXIT.usage);
}
