import type { StateDocuments } from '../reconciler/ports.ts';

const STATE_SINCE_DOCUMENT = 'state_since';

/**
 * When this state began: `now` the first time it is asked, then always the same. A command issued before may have been carried
 * out by a state that was lost, so it is refused (contract, section 8). Asked by everything that opens the state to write,
 * so that a database made by a command on its own knows it too.
 */
export function stateSince(
  documents: Pick<StateDocuments, 'read' | 'write' | 'transaction'>,
  now: Date,
): Date {
  return documents.transaction(() => {
    const known = documents.read(STATE_SINCE_DOCUMENT);
    if (typeof known === 'string' && !Number.isNaN(Date.parse(known))) return new Date(known);
    documents.write(STATE_SINCE_DOCUMENT, now.toISOString());
    return now;
  });
}
