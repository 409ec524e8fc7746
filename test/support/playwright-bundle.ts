import { createHash } from 'node:crypto';
import { readdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** A lock of exactly these wheels. */
export async function lockOf(wheels: string): Promise<string> {
  const lines = (await readdir(wheels)).map(async (file) => {
    const [name, version] = file.split('-');
    const digest = createHash('sha256')
      .update(await readFile(join(wheels, file)))
      .digest('hex');
    return `${name}==${version} --hash=sha256:${digest}\n`;
  });
  return (await Promise.all(lines)).sort().join('');
}

/** Puts packages into a bundle: a lock, and the wheels for it. */
export async function installPackages(bundle: string, lock: string, wheels: string): Promise<void> {
  await writeFile(join(bundle, 'requirements.lock'), lock);
  await symlink(wheels, join(bundle, 'wheelhouse'));
}
