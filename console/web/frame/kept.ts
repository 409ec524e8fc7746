type Name = 'language' | 'theme' | 'shortcuts' | 'wrap';

/** What this browser keeps for its reader; nothing where it keeps nothing (a private window, a full store). */
export function kept(name: Name): string | null {
  try {
    return localStorage.getItem(`edge-console.${name}`);
  } catch {
    return null;
  }
}

/** Null takes it away. */
export function keep(name: Name, value: string | null): void {
  try {
    if (value === null) localStorage.removeItem(`edge-console.${name}`);
    else localStorage.setItem(`edge-console.${name}`, value);
  } catch {
    // It holds until the page is left.
  }
}
