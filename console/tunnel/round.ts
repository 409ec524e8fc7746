/** Work that is due again and again. */
export interface Round {
  /** Begins it, unless the last one is still at it. */
  (): void;
  /** Resolves when none is at work. */
  ended(): Promise<void>;
}

/** `onStarted` gets the promise of every round that begins, and hears its failure. */
export function createRound(work: () => Promise<void>, onStarted: (round: Promise<void>) => void): Round {
  let current: Promise<void> | null = null;
  const begin = () => {
    if (current !== null) return;
    const begun = work().finally(() => {
      current = null;
    });
    current = begun;
    onStarted(begun);
  };
  const ended = async () => {
    await current?.catch(() => {});
  };
  return Object.assign(begin, { ended });
}
