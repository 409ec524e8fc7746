/**
 * What to paste on the machine that is to become an agent, in the folder that it shall have: the token goes through standard input,
 * where no list of processes shows it. It is made of letters, digits, `.`, `_` and `-`, which no shell takes for anything else.
 */
export function enrolmentLine(token: string): { readonly posix: string; readonly powershell: string } {
  if (!/^[\w.-]+$/.test(token)) throw new Error('expected a token of letters, digits, ".", "_" and "-"');
  return {
    posix: `printf '%s\\n' '${token}' | edge-agent enroll --config agent.yaml`,
    powershell: `'${token}' | edge-agent enroll --config agent.yaml`,
  };
}
