import type { Command } from 'commander';
import { createSystemClock } from '../../system/clock.ts';
import { openExistingState } from '../data-folder.ts';
import { PROGRAM } from '../people/actor.ts';
import { RequestRefused } from '../refusal.ts';
import { TenantFault } from '../tenants.ts';
import { readTriggerKey } from '../trigger-key.ts';

interface Options {
  readonly data: string;
  readonly output: 'text' | 'json';
  readonly key?: string;
  readonly remove?: boolean;
}

/** `edge-console tenant trigger-key <slug> [--key <file> | --remove]`: whether the console itself may sign commands, and with which key. */
export function addTriggerKeyVerb(parts: {
  readonly tenant: Command;
  readonly common: (command: Command) => Command;
  readonly print: (options: Options, document: unknown, text: string) => void;
}): void {
  const { tenant, common, print } = parts;
  common(tenant.command('trigger-key <slug>'))
    .description(
      'give the console a key to sign commands with, so that its pages and the Builder may act; shows which',
    )
    .option(
      '--key <file>',
      'private key of the trigger role (JWK); a sealed copy is kept, the file stays yours',
    )
    .option(
      '--remove',
      'take it away: what is left is reconcile, revoke, and commands that are signed elsewhere',
    )
    .action(async (slug: string, options: Options) => {
      if (options.key !== undefined && options.remove === true) {
        throw new TenantFault('expected --key or --remove, found both');
      }
      const key = options.key === undefined ? null : await readTriggerKey(options.key);
      const state = await openExistingState(options.data, createSystemClock());
      try {
        if ((await state.tenants.get(slug)) === null) {
          const found = slug.slice(0, 80);
          throw new TenantFault(`expected a tenant, found no "${found}"; tenant list shows them`);
        }
        if (key !== null) await state.triggerKeys.give(slug, key, PROGRAM).catch(asFault);
        if (options.remove === true) await state.triggerKeys.remove(slug, PROGRAM);
        const trigger_key = await state.triggerKeys.about(slug);
        const text =
          trigger_key === null
            ? `The console signs nothing for ${slug}: give it a key with --key <file>, or use edge-console command.`
            : `The console signs commands for ${slug} with the trigger key ${trigger_key.kid} (since ${trigger_key.added_at}, by ${trigger_key.added_by}).`;
        print(options, { slug, trigger_key }, text);
      } finally {
        await state.close();
      }
    });
}

function asFault(error: unknown): never {
  if (error instanceof RequestRefused) throw new TenantFault(`${error.code}: ${error.message}`);
  throw error;
}
