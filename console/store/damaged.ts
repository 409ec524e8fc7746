/**
 * A page of the database is not what was written there. What lies elsewhere can still be read, and nothing is better for trying
 * again. The message names the file and what to do, for whoever runs the console; it is no answer to a call.
 */
export class StoreDamaged extends Error {}
