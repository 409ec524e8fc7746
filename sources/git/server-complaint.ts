import { GitFault } from './git-fault.ts';
import { quoted } from './pkt-line.ts';

/** The git server understood the question and refused it in its own words. */
export class ServerComplaint extends GitFault {
  constructor(words: string) {
    super('server_error', `expected an answer, found the git server's error ${quoted(words)}`);
  }
}

/** An error packet may stand wherever a line is expected (gitprotocol-pack, "error-line"). */
export function throwWhenError(line: string): void {
  if (line.startsWith('ERR ')) throw new ServerComplaint(line.slice(4));
}
