import { runUnpacker } from '../../store/archive/unpacker-child.ts';

/** What `cli/main.ts` does for the internal verb, without the rest of it. */
await runUnpacker();
