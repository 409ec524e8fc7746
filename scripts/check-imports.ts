// Holds the import table (scripts/imports/table.ts) over the tree in the working directory.
//
//   node scripts/check-imports.ts
import { cruise, type ICruiseResult } from 'dependency-cruiser';
import { importRules, READING } from './imports/rules.ts';
import { OUTSIDE, PRODUCT } from './imports/table.ts';
import { readUsingDeclarations } from './imports/using-declarations.ts';
import { nameFaults } from './name-faults.ts';
import { sourceFiles } from './source-files.ts';

const root = process.cwd();
const files = sourceFiles(root, [...Object.keys(PRODUCT), ...OUTSIDE]);
const modules = files.filter((file) => /\.tsx?$/.test(file));

const ruleSet = importRules();
readUsingDeclarations();

const { output } = await cruise(modules, { ...READING, ruleSet, validate: true, baseDir: root });
if (typeof output === 'string') throw new Error('expected a result object of dependency-cruiser, found text');

const faults = [...readingFaults(output), ...importFaults(output), ...nameFaults(files)];
for (const fault of faults) console.error(fault);
console.log(`${modules.length} modules, ${imports(output)} imports, ${faults.length} faults`);
process.exitCode = faults.length === 0 ? 0 : 1;

/** A checker that reads nothing finds nothing: every file must have been read, and imports seen in them. */
function readingFaults(result: ICruiseResult): string[] {
  if (modules.length === 0) return [`expected modules below ${root}, found none`];
  const read = new Set(result.modules.map((module) => module.source));
  const unread = modules.filter((file) => !read.has(file)).map((file) => `${file}: was not read`);
  if (imports(result) * 2 >= modules.length) return unread;
  const parser = `expected at least ${modules.length / 2} imports, found ${imports(result)}: is this TypeScript read at all?`;
  return [...unread, parser];
}

function imports({ summary }: ICruiseResult): number {
  return summary.totalDependenciesCruised ?? 0;
}

function importFaults({ summary }: ICruiseResult): string[] {
  return summary.violations.map(({ from, to, rule, cycle }) => {
    const comment = ruleSet.forbidden.find(({ name }) => name === rule.name)?.comment ?? '';
    const way = cycle === undefined ? to : cycle.map(({ name }) => name).join(' → ');
    return `${from} → ${way}: ${comment} [${rule.name}]`;
  });
}
