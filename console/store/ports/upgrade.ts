/** What became of the data of an older console. */
export interface Upgrade {
  /** Schema versions. */
  readonly from: number;
  readonly to: number;
  /** One line each: `new table people`. */
  readonly changes: readonly string[];
  /** The database as it was before; null when nothing was kept (a trial). */
  readonly copy: string | null;
}
