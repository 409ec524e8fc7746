import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const BUILD = fileURLToPath(new URL('../../scripts/build-web.ts', import.meta.url));

/** The console's pages as their sources are now, where a console from a checkout finds them; a moment when they are built already. */
export function buildPages(): void {
  execFileSync(process.execPath, [BUILD], { stdio: 'pipe' });
}
