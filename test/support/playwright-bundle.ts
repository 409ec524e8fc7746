import { copyFile, symlink } from 'node:fs/promises';
import { join } from 'node:path';

/** The flow that shows how it is done; its lock is what the wheels of the test parts are for. */
export const WEB_FORM = 'examples/flows/web-form/v1.0.0';

/** Puts Playwright for Python into a bundle: a lock, and the wheels for it. */
export async function installPlaywright(bundle: string, wheels: string): Promise<void> {
  await copyFile(join(WEB_FORM, 'requirements.lock'), join(bundle, 'requirements.lock'));
  await symlink(wheels, join(bundle, 'wheelhouse'));
}
