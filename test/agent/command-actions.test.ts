import { expect, it } from 'vitest';
import { createCommandActions } from '../../agent/command-actions.ts';
import { OperationError } from '../../agent/operation-error.ts';
import type { Held } from '../../schemas/current.ts';

const { signal } = new AbortController();

it('a roll-back that a crash let come twice is done, and that of another is not', async () => {
  let held: Held | null = null;
  const version = () => (held === null ? 'v2' : 'v1');
  const actions = createCommandActions({
    dispatcher: {} as never,
    operations: {
      rollback({ by, why }: Held) {
        if (held !== null) throw new OperationError('rollback_impossible', 'held already', { exitCode: 4 });
        held = { by, why };
        return Promise.resolve({});
      },
    } as never,
    active: () => ({ version: version(), held }),
  });
  const by = (who: string) =>
    actions.rollback(
      { action: 'rollback', flow: 'a', by: who, why: 'wrong totals' } as Parameters<
        typeof actions.rollback
      >[0],
      signal,
    );
  expect(await by('Ann')).toEqual({ ok: true, message: 'flow a is rolled back by Ann to v1', version: 'v1' });
  expect(await by('Ann')).toEqual({
    ok: true,
    message: 'flow a is rolled back by Ann already, to v1',
    version: 'v1',
  });
  expect(await by('Bob')).toEqual({ ok: false, message: 'held already' });
});
