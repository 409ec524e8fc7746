import { en } from './en/common.ts';
import { fr } from './fr/common.ts';
import { useText } from './language.tsx';

/** The words that more than one page has, in the reader's language. */
export function useWords(): typeof en {
  return useText({ en, fr });
}
