// What the verb `internal-fetch` of the command does, for tests that have no command.
import { runFetcherProcess } from '../../sources/git/fetcher-child.ts';

await runFetcherProcess(process);
