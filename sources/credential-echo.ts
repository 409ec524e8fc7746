import type { DesiredSource, Setback, Snapshot } from '../reconciler/ports.ts';
import { createRedactor } from '../system/redaction.ts';

/** `token` or `user:token`, or null when there is none. */
type ReadCredentials = () => Promise<string | null>;

/**
 * A server was sent the credentials, and may send them back: in an error, as the subject of a commit, as the name of a tag. What
 * people, logs and the console see of a source is free of them; the files are as they came, as hashes are compared.
 */
export function withoutEcho(source: DesiredSource, credentials: ReadCredentials): DesiredSource {
  /** What was sent last counts as well: the file may have changed since. */
  let sent: string | null = null;
  const redactor = async () => {
    const before = sent;
    // A file that cannot be read is the source's to report.
    sent = await credentials().catch(() => sent);
    return createRedactor([...formsOf(before), ...formsOf(sent)]);
  };
  const clean = <T extends Setback | { kind: 'absent'; message: string }>(
    found: T,
    text: (text: string) => string,
  ): T => ({
    ...found,
    message: text(found.message),
  });

  return {
    kind: source.kind,
    async observe(signal) {
      const { text } = await redactor();
      const found = await source.observe(signal);
      return found.kind === 'found' ? found : clean(found, text);
    },
    async read(found, signal) {
      const { text } = await redactor();
      const answer = await source.read(found, signal);
      if (answer.kind !== 'read') return clean(answer, text);
      return { ...answer, snapshot: cleanSnapshot(answer.snapshot, text) };
    },
    async recall(revision) {
      const { text } = await redactor();
      const snapshot = await source.recall(revision);
      return snapshot === null ? null : cleanSnapshot(snapshot, text);
    },
    cleanUp: (now, keepDays, dryRun) => source.cleanUp(now, keepDays, dryRun),
  };
}

/** So many names with a secret in them are told from those beside them; a server that sends more is not believed the rest. */
const MAX_ECHOES = 64;

/** The names in which nothing is redacted. Looked at together, then by halves: a look at each of 30,000 takes 150 MiB. */
function withoutSecrets(names: readonly string[], text: (text: string) => string): readonly string[] {
  let echoes = 0;
  const clean = (some: readonly string[]): readonly string[] => {
    if (some.length === 0 || echoes >= MAX_ECHOES) return [];
    const together = some.join('\n');
    if (text(together) === together) return some;
    if (some.length === 1) {
      echoes += 1;
      return [];
    }
    const half = some.length >> 1;
    return [...clean(some.slice(0, half)), ...clean(some.slice(half))];
  };
  return clean(names);
}

/** A tag's name becomes a folder's: one with a secret in it names nothing. */
function cleanSnapshot(snapshot: Snapshot, text: (text: string) => string): Snapshot {
  const { commit } = snapshot;
  return {
    ...snapshot,
    tags: withoutSecrets(snapshot.tags, text),
    commit:
      commit === null ? null : { ...commit, subject: text(commit.subject), author: text(commit.author) },
  };
}

function formsOf(credentials: string | null): string[] {
  if (credentials === null) return [];
  const [, token = credentials] = credentials.split(/:(.*)/s);
  return [credentials, token].filter((form) => form !== '');
}
