/** How the message of `Ready` says what a person holds after a roll back, and how that is read again. */
const HELD = /held after a rollback: (.*?) \("edge-agent resume" lets go\)/;

/** `held after a rollback: daily-report at v1.0.0 ("edge-agent resume" lets go)` */
export function heldClause(held: readonly string[]): string {
  return `held after a rollback: ${held.join(', ')} ("edge-agent resume" lets go)`;
}

/** What the message of a condition says is held; nothing where it says none. */
export function heldAsSaid(message: string): string[] {
  return HELD.exec(message)?.[1]?.split(', ') ?? [];
}
