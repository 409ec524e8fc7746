import { useEffect, useState } from 'preact/hooks';

/**
 * The secret behind the `#` of a link, which no server sees; null: none. It is taken out of the address, so that it is neither
 * in the history nor on a picture of the screen.
 */
export function useCode(): string | null {
  const [code] = useState(() => decodeURIComponent(window.location.hash.slice(1)) || null);
  useEffect(() => {
    if (window.location.hash !== '') history.replaceState(history.state, '', window.location.pathname);
  }, []);
  return code;
}
