import { beforeEach, describe, expect, test } from 'vitest';
import type { CommandDraft } from '../../../console/store/ports/commands.ts';
import type { ConsoleStore } from '../../../console/store/ports/console-store.ts';
import { AT, furnish, later, toldOf } from './made-agent.ts';

/** What goes to agents and what files come from them. `open` gives two writers of one empty database. */
export function deliveryStoresContract(
  name: string,
  open: () => Promise<[ConsoleStore, ConsoleStore]>,
): void {
  describe(`${name} as the stores of what goes to and fro`, () => {
    let one: ConsoleStore;
    let two: ConsoleStore;
    beforeEach(async () => {
      [one, two] = await open();
      await furnish(one);
    });

    describe('commands', () => {
      const draft = (id: string, change: Partial<CommandDraft> = {}): CommandDraft => ({
        agent_id: 'a1',
        command_id: id,
        action: 'reconcile',
        jws: `jws of ${id}`,
        expires_at: later(60).toISOString(),
        run_id: null,
        flow: null,
        version: null,
        ...change,
      });
      const add = async (store: ConsoleStore, id: string, change?: Partial<CommandDraft>) =>
        store.commands.add(draft(id, change), AT, 3, undefined);
      const state = async (id: string) => (await two.commands.get(id))?.state;

      test('one of an id is there once, however many hand it in at one time', async () => {
        const origin = { by: 'person:ada', why: null, told: () => toldOf('handed in', 'command_handed_in') };
        const outcomes = await Promise.all(
          [one, two, one].map(async (store) => store.commands.add(draft('c'), AT, 3, origin)),
        );
        expect(outcomes.map(({ kind }) => kind).toSorted()).toEqual(['added', 'there', 'there']);
        expect(await add(two, 'c', { jws: 'another' })).toMatchObject({ kind: 'there', jws: 'jws of c' });
        expect(await one.audit.list({ limit: 9 })).toMatchObject([{ message: 'handed in' }]);
        // of another agent it is another one
        expect(await add(one, 'c', { agent_id: 'a2' })).toMatchObject({ kind: 'added' });
      });

      test('no more wait for one agent than may, and none for one that is revoked', async () => {
        for (const id of ['c1', 'c2', 'c3']) await add(one, id);
        expect(await add(two, 'c4')).toEqual({ kind: 'full', waiting: 3 });
        expect(await add(two, 'c1')).toMatchObject({ kind: 'there' });
        await one.agents.revoke('a1', AT, { by: 'ann', why: null }, ({ dropped }) =>
          toldOf(`${dropped} dropped`),
        );
        expect(await add(two, 'c5')).toEqual({ kind: 'revoked', revoked_at: AT.toISOString() });
        expect(await state('c3')).toBe('refused');
        expect(await one.audit.list({ limit: 9 })).toMatchObject([{ message: '3 dropped' }]);
      });

      test('they go out in order, are answered once, and expire when nobody answers', async () => {
        for (const id of ['c1', 'c2', 'c3']) await add(one, id);
        const waiting = await two.commands.waiting('a1', 0, 10, AT);
        expect(waiting.map(({ command_id }) => command_id)).toEqual(['c1', 'c2', 'c3']);
        const [first, second] = waiting.map(({ id }) => id) as [number, number];
        expect(await two.commands.waiting('a1', second, 10, AT)).toHaveLength(1);
        await one.commands.sent([first], AT);
        expect(await state('c1')).toBe('sent');
        const answers = [
          { id: 'c1', state: 'acknowledged' },
          { id: 'c2', state: 'refused', code: 'suspended', message: 'no' },
          { id: 'nothing', state: 'acknowledged' },
        ] as const;
        const settle = async (store: ConsoleStore) => store.commands.settle('a1', answers, AT);
        const settled = (await Promise.all([settle(one), settle(two)])).flat();
        expect(settled.map(({ command_id }) => command_id)).toEqual(['c1', 'c2']);
        expect(await one.commands.settle('a2', [{ id: 'c3', state: 'acknowledged' }], AT)).toEqual([]);
        expect(await one.commands.agentsWaiting()).toEqual(['a1']);
        expect(await one.commands.expire(later(59))).toEqual([]);
        expect(await two.commands.waiting('a1', 0, 10, later(60))).toEqual([]);
        expect(await one.commands.expire(later(60))).toMatchObject([{ command_id: 'c3', state: 'expired' }]);
        expect(await two.commands.agentsWaiting()).toEqual([]);
      });

      test('a run that is asked for is in the list of runs, with what became of it', async () => {
        await add(one, 'c1', { action: 'run', run_id: 'r1', flow: 'f' });
        await add(one, 'c2', { action: 'cancel', run_id: 'r1' });
        expect((await two.commands.forRun('a1', 'r1'))?.command_id).toBe('c1');
        expect((await two.commands.cancelsOf('a1', 'r1')).map(({ command_id }) => command_id)).toEqual([
          'c2',
        ]);
        const before = await two.runs.get('a1', 'r1');
        expect(before).toMatchObject({ flow: 'f', trigger: 'command' });
        const refusal = { id: 'c1', state: 'refused', code: 'suspended', message: 'no' } as const;
        await one.commands.settle('a1', [refusal], later(1));
        expect(await two.runs.get('a1', 'r1')).toMatchObject({ state: 'refused' });
        expect((await two.commands.list('a1', { limit: 10 })).map(({ run_state }) => run_state)).toEqual([
          'refused',
          'refused',
        ]);
      });

      test('what a run began with is the first command that was not turned away, and goes with the run', async () => {
        await add(one, 'c1', { action: 'run', run_id: 'r1', flow: 'f' });
        await add(one, 'c2', { action: 'run', run_id: 'r1', flow: 'f' });
        expect(await two.commands.asked('a1', 'r1')).toBe('jws of c1');
        const refusal = { id: 'c1', state: 'refused', code: 'suspended', message: 'no' } as const;
        const settled = [refusal, { id: 'c2', state: 'acknowledged' }] as const;
        await one.commands.settle('a1', settled, later(1));
        expect(await two.commands.asked('a1', 'r1')).toBe('jws of c2');
        expect(await one.runs.prune(0)).toBe(3);
        expect(await two.commands.asked('a1', 'r1')).toBeNull();
      });

      test('the list goes back page by page, and forgets the oldest that are settled', async () => {
        for (const id of ['c1', 'c2', 'c3']) await add(one, id);
        const page = await two.commands.list('a1', { limit: 2 });
        const rest = await two.commands.list('a1', { before: page.at(-1)?.id, limit: 2 });
        expect([...page, ...rest].map(({ command_id }) => command_id)).toEqual(['c3', 'c2', 'c1']);
        const acknowledged = (id: string) => ({ id, state: 'acknowledged' }) as const;
        await one.commands.settle('a1', [acknowledged('c1'), acknowledged('c2')], AT);
        expect(await one.commands.prune(1)).toBe(1);
        expect((await two.commands.list('a1', { limit: 9 })).map(({ command_id }) => command_id)).toEqual([
          'c3',
          'c2',
        ]);
      });
    });

    describe('uploads', () => {
      const limits = {
        uploadBytes: 100,
        uploadAgentBytes: 100,
        uploadAgentFiles: 3,
        uploadsOpen: 2,
        uploadOpenDays: 1,
      };
      const agent = { agent_id: 'a1', tenant: 'acme' };
      const insert = async (
        store: ConsoleStore,
        sha256: string,
        size: number,
        kind: 'output' | 'document' = 'output',
      ) =>
        store.uploads.insert(
          agent,
          { name: 'f', sha256, kind, run_id: kind === 'output' ? 'r1' : null, flow: null, purpose: null },
          size,
          limits,
          AT,
        );
      const whole = async (sha256: string, size: number, kind?: 'output' | 'document', at = AT) => {
        const made = await insert(one, sha256, size, kind);
        if (made.kind !== 'made') throw new Error(`expected an upload, found ${made.kind}`);
        await one.uploads.complete(made.upload.upload_id, at);
        return made;
      };

      test('the same file is one, however many begin it at one time', async () => {
        const made = await Promise.all([insert(one, 'x', 10), insert(two, 'x', 10)]);
        expect(made.map(({ kind }) => kind).toSorted()).toEqual(['made', 'there']);
        expect(await two.uploads.list('a1', 9)).toHaveLength(1);
        expect(await two.uploads.list('a2', 9)).toEqual([]);
      });

      test('only so many are open, and whole outputs make room for what is new', async () => {
        const first = await whole('1', 60);
        await insert(one, '2', 10);
        expect(await insert(two, '3', 50)).toMatchObject({ kind: 'made', dropped: [first.upload.upload_id] });
        expect(await insert(one, '4', 1)).toEqual({ kind: 'too_many_open' });
        expect(await two.uploads.get(first.upload.upload_id)).toBeNull();
      });

      test('documents stay: then there is no room, and nothing is dropped', async () => {
        await whole('1', 80, 'document');
        await whole('2', 10);
        expect(await insert(two, '3', 50)).toEqual({ kind: 'no_room', files: 2, bytes: 90 });
        expect(await two.uploads.list('a1', 9)).toHaveLength(2);
        expect((await two.uploads.ofRun('a1', 'r1')).map(({ sha256 }) => sha256)).toEqual(['2']);
      });

      test('what is not finished in time is given up, and the first end of one counts', async () => {
        const { upload } = await whole('1', 10);
        await two.uploads.complete(upload.upload_id, later(9));
        expect((await two.uploads.get(upload.upload_id))?.completed_at).toBe(AT.toISOString());
        await insert(one, '2', 10);
        expect(await one.uploads.giveUp(AT)).toBe(0);
        expect(await one.uploads.giveUp(later(1))).toBe(1);
        expect(await two.uploads.ids()).toEqual(new Set([upload.upload_id]));
        expect(await one.uploads.remove(upload.upload_id)).toBe(true);
        expect(await two.uploads.remove(upload.upload_id)).toBe(false);
      });

      test('outputs are wanted until a tenant says otherwise', async () => {
        await one.uploads.setOutputsWanted('acme', false);
        expect(await two.uploads.areOutputsWanted('acme')).toBe(false);
        expect(await two.uploads.areOutputsWanted('globex')).toBe(true);
        await two.uploads.setOutputsWanted('acme', true);
        expect(await one.uploads.areOutputsWanted('acme')).toBe(true);
      });
    });

    test('rows of output know their sizes, and which are the oldest beyond the bounds', async () => {
      const stream = (run_id: string, agent_id = 'a1') =>
        ({ agent_id, run_id, attempt: 1, stream: 'stdout' }) as const;
      for (const id of ['r1', 'r2', 'r3']) await one.logs.begin(stream(id), AT);
      await one.logs.begin(stream('r1', 'a2'), AT);
      await two.logs.begin(stream('r1'), later(9));
      const size = (id: string, bytes: number, minutes: number) => ({
        stream: stream(id),
        bytes,
        at: later(minutes),
      });
      expect(await one.logs.note([size('r1', 10, 1), size('r2', 20, 2), size('gone', 99, 2)])).toBe(30);
      expect(await two.logs.note([size('r1', 15, 1), size('r3', 30, 3)])).toBe(35);
      expect(await two.logs.totalBytes()).toBe(65);
      const runs = (rows: readonly { run_id: string }[]) => rows.map(({ run_id }) => run_id);
      expect(runs(await two.logs.unfinished('a1', 2))).toEqual(['r3', 'r2']);
      expect(runs(await two.logs.beyond('a1', 50, 10))).toEqual(['r1']);
      expect(runs(await two.logs.beyond('a1', 1_000, 1)).toSorted()).toEqual(['r1', 'r2']);
      expect(runs(await two.logs.oldest(16))).toEqual(['r1', 'r1', 'r2']);
      await one.logs.forget([stream('r1')]);
      expect(await two.logs.list('a1', 'r1')).toEqual([]);
      expect(await two.logs.list('a1', 'r2')).toMatchObject([{ bytes: 20 }]);
    });

    test('what one writes, the other notices once', async () => {
      await two.changedElsewhere();
      expect(await two.changedElsewhere()).toBe(false);
      await one.settings.setPublicUrl('https://console.example');
      expect(await two.changedElsewhere()).toBe(true);
      expect(await two.changedElsewhere()).toBe(false);
      expect(await two.settings.publicUrl()).toBe('https://console.example');
    });
  });
}
