import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { CommandReceipt } from '../../reconciler/ports.ts';

/** What the sender of a command was told. `later`: to come again, or nothing at all. */
export type Told =
  | { readonly kind: 'acknowledged' }
  /** `code` is null where the channel does not carry it. */
  | { readonly kind: 'refused'; readonly code: string | null }
  | { readonly kind: 'later' };

/** A channel between a sender of commands and an inbox, for the contract suite. */
export interface CommandChannelUnderTest {
  /** Sends the text as the console would and waits for what it is told. */
  send(jws: string): Promise<Told>;
  close(): Promise<void>;
}

/**
 * What every channel of commands keeps to (contract, section 8): received, verified, persisted, and only then acknowledged.
 * `open` builds the channel on an inbox of the suite's own.
 */
export function commandChannelContract(
  name: string,
  open: (receive: (jws: string) => Promise<CommandReceipt>) => Promise<CommandChannelUnderTest>,
): void {
  describe(`command channel contract: ${name}`, () => {
    let channel: CommandChannelUnderTest;
    let received: string[];
    let answer: (jws: string) => Promise<CommandReceipt>;
    const accepted = (jws: string): Promise<CommandReceipt> =>
      Promise.resolve({ kind: 'accepted', commandId: jws });
    const busy = (): Promise<CommandReceipt> =>
      Promise.resolve({ kind: 'busy', message: 'too many wait', afterMs: 1_000 });

    beforeEach(async () => {
      received = [];
      answer = accepted;
      channel = await open((jws) => {
        received.push(jws);
        return answer(jws);
      });
    });
    afterEach(() => channel.close());

    test('gives the inbox the text as it was sent, and acknowledges what is accepted', async () => {
      expect(await channel.send('head.pay-load_1.sign')).toEqual({ kind: 'acknowledged' });
      expect(received).toEqual(['head.pay-load_1.sign']);
    });

    test('says nothing before the command is persisted', async () => {
      const persisted = Promise.withResolvers<CommandReceipt>();
      answer = () => persisted.promise;
      let told: Told | null = null;
      const sending = async () => {
        told = await channel.send('a.b.c');
      };
      const sent = sending();
      await expect.poll(() => received).toEqual(['a.b.c']);
      await new Promise((resolve) => setTimeout(resolve, 100));
      expect(told).toBeNull();
      persisted.resolve({ kind: 'accepted', commandId: 'c-1' });
      await sent;
      expect(told).toEqual({ kind: 'acknowledged' });
    });

    test('acknowledges again what was taken before', async () => {
      await channel.send('a.b.c');
      answer = () => Promise.resolve({ kind: 'repeated', commandId: 'c-1' });
      expect(await channel.send('a.b.c')).toEqual({ kind: 'acknowledged' });
      expect(received).toEqual(['a.b.c', 'a.b.c']);
    });

    test('does not acknowledge what is refused, and says that it is', async () => {
      answer = () =>
        Promise.resolve({
          kind: 'refused',
          code: 'signature_invalid',
          message: 'expected a signature of a trigger key, found another',
          commandId: null,
        });
      const told = await channel.send('a.b.c');
      expect(told.kind).toBe('refused');
      expect(['signature_invalid', null]).toContain(told.kind === 'refused' ? told.code : 'none');
    });

    test('does not acknowledge what found no room, and takes it when it comes again', async () => {
      answer = busy;
      expect(await channel.send('a.b.c')).toEqual({ kind: 'later' });
      answer = accepted;
      expect(await channel.send('a.b.c')).toEqual({ kind: 'acknowledged' });
    });

    test('does not acknowledge what the inbox failed at, and goes on', async () => {
      answer = () => Promise.reject(new Error('ENOSPC: no space left on device'));
      expect(await channel.send('a.b.c')).toEqual({ kind: 'later' });
      answer = accepted;
      expect(await channel.send('d.e.f')).toEqual({ kind: 'acknowledged' });
    });

    test('gives the inbox each of many commands once', async () => {
      const sent = Array.from({ length: 40 }, (_, n) => `head.${n}.sign`);
      const told = await Promise.all(sent.map((jws) => channel.send(jws)));
      expect(told.every(({ kind }) => kind === 'acknowledged')).toBe(true);
      expect(received.toSorted()).toEqual(sent.toSorted());
    });
  });
}
