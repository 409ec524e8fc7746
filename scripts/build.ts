// Builds what is published: the command in one piece (dist/cli), schemas and console as JavaScript in the tree they have here, and the
// console's pages (dist/console/web).
//
//   node scripts/build.ts [folder]    default dist/
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleCommand } from './bundle.ts';
import { sourceFiles } from './source-files.ts';
import { buildPages } from './web/build-pages.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dist = resolve(process.argv[2] ?? join(root, 'dist'));
rmSync(dist, { recursive: true, force: true });

const tsc = join(root, 'node_modules/typescript/bin/tsc');
const { status } = spawnSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', '--outDir', dist], {
  cwd: root,
  stdio: 'inherit',
});
if (status !== 0) process.exit(1);

// What is read at run time and is no TypeScript: JSON schemas.
const files = sourceFiles(root, ['schemas', 'console']).filter(
  (file) => !file.endsWith('.ts') && !file.startsWith('console/web/'),
);
for (const file of files) {
  mkdirSync(dirname(join(dist, file)), { recursive: true });
  cpSync(join(root, file), join(dist, file));
}

await buildPages(root, join(dist, 'console/web'));

// `../package.json` is found from dist/cli as it is from cli.
const { name, version, type, license } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
writeFileSync(join(dist, 'package.json'), `${JSON.stringify({ name, version, type, license }, null, 2)}\n`);

const parts = await bundleCommand(root, dist);
console.log(`dist: built, the command in ${parts.length} parts, ${files.length} files copied`);
