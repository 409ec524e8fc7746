import type { AutoHotkey } from './autohotkey-program.ts';

/**
 * The major version that a script asks for (`#Requires AutoHotkey v2.0`, `>=1.1.33 <2`), or null. Only the first directive
 * counts, as two that differ would refuse each other; one inside a block comment is none.
 */
export function requiredMajor(script: string): 1 | 2 | null {
  const code = script.replace(/^[^\S\n]*\/\*[\s\S]*?(?:^[^\S\n]*\*\/|\*\/[^\S\n]*$|$(?![\s\S]))/gm, '');
  const wanted = /^[^\S\n]*#Requires[^\S\n]+AutoHotkey[^\S\n]+(?:[<>=]*[^\S\n]*)?v?([12])\b/im.exec(
    code,
  )?.[1];
  return wanted === undefined ? null : wanted === '1' ? 1 : 2;
}

/** The interpreter for a script: as it asks, else version 2, else version 1. */
export function chooseAutoHotkey(found: readonly AutoHotkey[], required: 1 | 2 | null): AutoHotkey | null {
  const of = (major: 1 | 2) => found.find((one) => one.major === major) ?? null;
  return required === null ? (of(2) ?? of(1)) : of(required);
}

/**
 * The command line, switches before the script. `/force`: a second run of a script never asks, and never ends, the first
 * (`/restart` would end it). `/ErrorStdOut`: what stops a script from loading goes to standard error, no dialog waits for a
 * person. `/CP65001`: scripts are UTF-8 without a mark too. `/include`: `onError` before the script, version 2 only.
 * Source: the "Command Line" section of "Scripts" in the manuals of 1.1 and 2.0.
 */
export function autoHotkeyArguments(
  program: AutoHotkey,
  script: string,
  args: readonly string[],
  onError: string | null,
): string[] {
  const include = onError === null || program.major !== 2 ? [] : ['/include', onError];
  return ['/force', '/ErrorStdOut=UTF-8', '/CP65001', ...include, script, ...args];
}

/**
 * Version 2 shows a dialog for an error that nobody catches, which on a machine without a person waits until the timeout, and
 * exits 0. With this it goes to standard error and the script ends with 2, as for an error of loading.
 */
export const ON_ERROR_SCRIPT = `OnError((thrown, *) => (
    FileAppend((thrown is Error
        ? thrown.File " (" thrown.Line ") : ==> " thrown.Message (thrown.Extra = "" ? "" : " (" thrown.Extra ")")
        : "expected an Error to be thrown, found a value of type " Type(thrown)) "\`n", "**", "UTF-8-RAW"),
    ExitApp(2)
))
`;
