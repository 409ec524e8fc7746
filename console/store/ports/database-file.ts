import type { Upgrade } from './upgrade.ts';

/** What is in a database that nobody writes to. */
export interface DatabaseFacts {
  readonly version: number;
  readonly publicUrl: string | null;
  /** Rows of each table. */
  readonly counts: Readonly<Record<string, number>>;
}

/** Care of a database that is a file: for backups and migrations. */
export interface DatabaseFile {
  /** Schema version of this console. */
  readonly version: number;
  /** Brings it up to this version; null when there was nothing to do. */
  migrate(path: string): Promise<Upgrade | null>;
  /** The same on a copy, which goes again. */
  tryMigration(path: string): Promise<Upgrade | null>;
  /** A copy of one that others go on writing to: all of one moment. `to` is made. */
  copy(path: string, to: string): Promise<void>;
  /** Rejected when it is not sound. */
  facts(path: string): Promise<DatabaseFacts>;
}
