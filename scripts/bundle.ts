import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { rolldown } from 'rolldown';

/**
 * Writes the command to `<dist>/cli`: `main.js` and the parts that it loads when it needs them, with the packages in them. One
 * CommonJS file starts in half the time of the same modules in a tree, idles lower, and a child under Node's permission model
 * needs the right to read `dist` and nothing else (docs/decisions/0050-published-program.md). Paths made from `import.meta.url` in
 * `cli` and `agent` are right here too, as all parts lie in one folder beside package.json's.
 */
export async function bundleCommand(root: string, dist: string): Promise<readonly string[]> {
  const bundle = await rolldown({
    input: { main: join(root, 'cli/main.ts') },
    cwd: root,
    platform: 'node',
    // A package that is not found must not be left to be looked for on the user's machine.
    onLog(level, log, show) {
      if (level === 'warn' && log.code === 'UNRESOLVED_IMPORT') throw new Error(log.message);
      show(level, log);
    },
  });
  const folder = join(dist, 'cli');
  const { output } = await bundle.write({
    dir: folder,
    format: 'cjs',
    entryFileNames: '[name].js',
    chunkFileNames: '[name]-[hash].js',
    // White space only: names and lines of code stay readable in a stack trace.
    minify: { compress: false, mangle: false, codegen: { removeWhitespace: true } },
  });
  await bundle.close();
  writeFileSync(join(folder, 'package.json'), `${JSON.stringify({ type: 'commonjs' }, null, 2)}\n`);
  chmodSync(join(folder, 'main.js'), 0o755);
  return output.map(({ fileName }) => fileName);
}
