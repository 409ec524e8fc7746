/** The exit codes of the contract's section 10. */
export const EXIT = {
  done: 0,
  bug: 1,
  usage: 2,
  refused: 3,
  stalled: 4,
  notYet: 5,
  runFailed: 6,
  changes: 10,
  interrupted: 130,
} as const;
