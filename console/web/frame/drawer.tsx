import { useEffect, useRef } from 'preact/hooks';
import { useLocation, useSearch } from 'wouter-preact';
import { Button } from '../parts/button.tsx';
import { useModal } from '../parts/modal.ts';
import { en } from '../text/en/frame.ts';
import { fr } from '../text/fr/frame.ts';
import { useText } from '../text/language.tsx';
import { useWords } from '../text/words.ts';
import { Navigation } from './navigation.tsx';
import { Preferences } from './preferences.tsx';
import { TenantSwitch } from './tenant-switch.tsx';

/** The whole navigation on a phone. Going somewhere closes it. */
export function Drawer({ onClose }: { onClose: () => void }) {
  const text = useText({ en, fr });
  const words = useWords();
  const dialog = useRef<HTMLDialogElement>(null);
  const [path] = useLocation();
  const search = useSearch();
  const opened = useRef(`${path}?${search}`);
  useModal(dialog);
  useEffect(() => {
    if (`${path}?${search}` !== opened.current) dialog.current?.close();
  }, [path, search]);
  return (
    <dialog ref={dialog} class="drawer" aria-label={text.menu} onClose={onClose}>
      <div class="line">
        <TenantSwitch />
        <span class="bar-room" />
        <Button look="bare" icon="close" label={words.close} onClick={() => dialog.current?.close()} />
      </div>
      <Navigation />
      <div class="line">
        <Preferences up />
      </div>
    </dialog>
  );
}
