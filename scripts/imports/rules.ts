import type { ICruiseOptions, IFlattenedRuleSet, IForbiddenRuleType } from 'dependency-cruiser';
import { type Allowed, CONSOLE_STORE, HOMES_OF_PACKAGE, OUTSIDE, PAGES, PRODUCT } from './table.ts';

type Rule = Extract<IForbiddenRuleType, { to: { dependencyTypes?: unknown } }>;

const PACKAGE_TYPES: Rule['to']['dependencyTypes'] = [
  'npm',
  'npm-dev',
  'npm-optional',
  'npm-peer',
  'npm-no-pkg',
  'npm-unknown',
];
const ALL_FOLDERS = [...Object.keys(PRODUCT), ...OUTSIDE];
const FROM_PRODUCT = { path: `^(${Object.keys(PRODUCT).join('|')})/`, pathNot: under(PAGES.folder) };

/** The table as rules of dependency-cruiser. */
export function importRules(): IFlattenedRuleSet & { forbidden: Rule[] } {
  const forbidden = [
    ...Object.entries(PRODUCT).flatMap(([folder, allowed]) => rulesOfFolder(folder, allowed)),
    ...rulesOfPages(),
    ...rulesOfConsoleStore(),
    ...Object.entries(HOMES_OF_PACKAGE).map(([name, homes]) =>
      rule(
        `home-of-${name}`,
        `${name} is for ${homes.join('/ and ')}/ alone`,
        { ...FROM_PRODUCT, pathNot: [under(PAGES.folder), ...homes.map(under)] },
        { path: packageNamed(name) },
      ),
    ),
    rule('development-package', 'what the product imports must be under `dependencies`', FROM_PRODUCT, {
      dependencyTypes: ['npm-dev'],
      dependencyTypesNot: ['npm'],
    }),
    rule(
      'undeclared-package',
      'add it to package.json, or do without it',
      {},
      {
        dependencyTypes: ['npm-no-pkg', 'npm-unknown'],
      },
    ),
    rule('unresolvable', 'the imported module does not exist', {}, { couldNotResolve: true }),
    rule('cycle', 'modules that import each other cannot be read one at a time', {}, { circular: true }),
  ];
  return { forbidden };
}

export const READING: ICruiseOptions = {
  // dependency-cruiser reads TypeScript < 7 only, and with a newer one reads nothing without a word.
  parser: 'swc',
  // Type-only imports are imports: they say who knows whom.
  tsPreCompilationDeps: true,
  doNotFollow: { path: 'node_modules' },
  exclude: { path: '^(test/fixtures|dist|\\.cache)/' },
  enhancedResolveOptions: {
    exportsFields: ['exports'],
    conditionNames: ['import', 'node', 'default', 'types'],
    extensions: ['.ts', '.tsx', '.mjs', '.js', '.json'],
  },
};

function rulesOfFolder(folder: string, { folders, packages, node }: Allowed): Rule[] {
  const from = { path: under(folder) };
  const rules = [
    rule(`${folder}-folders`, `${folder}/ may import from ${folders.join(', ') || 'no other folder'}`, from, {
      path: `^(${ALL_FOLDERS.join('|')})/`,
      pathNot: [folder, ...folders].map(under),
    }),
  ];
  if (!node) {
    rules.push(
      rule(`${folder}-node`, `${folder}/ may import no node: module`, from, { dependencyTypes: ['core'] }),
    );
  }
  if (packages !== 'declared') {
    rules.push(
      rule(`${folder}-packages`, `${folder}/ may import ${packages.join(', ') || 'no package'}`, from, {
        dependencyTypes: PACKAGE_TYPES,
        ...(packages.length === 0 ? {} : { pathNot: packages.map(packageNamed) }),
      }),
    );
  }
  return rules;
}

function rulesOfPages(): Rule[] {
  const { folder, types, packages } = PAGES;
  const from = { path: under(folder) };
  const named = [...packages, 'zod'].map(packageNamed);
  const typesOf = `${types.join(' and ')} for their types alone`;
  return [
    rule('pages-are-apart', `nothing of the product imports from ${folder}/`, FROM_PRODUCT, {
      path: under(folder),
    }),
    rule('pages-folders', `${folder}/ may import from schemas`, from, {
      path: `^(${ALL_FOLDERS.join('|')})/`,
      pathNot: [folder, 'schemas'].map(under),
    }),
    rule('pages-node', `${folder}/ runs in a browser and may import no node: module`, from, {
      dependencyTypes: ['core'],
    }),
    rule('pages-packages', `${folder}/ may import ${packages.join(', ')}, and zod for its types`, from, {
      dependencyTypes: PACKAGE_TYPES,
      pathNot: named,
    }),
    rule('pages-types', `${folder}/ may import ${typesOf} (import type)`, from, {
      path: [under('schemas'), packageNamed('zod')],
      dependencyTypesNot: ['type-only'],
    }),
  ];
}

function rulesOfConsoleStore(): Rule[] {
  const { folder, opener, driver } = CONSOLE_STORE;
  const elsewhere = { path: under('console'), pathNot: [folder, opener].map(under) };
  return [
    rule(
      'console-store',
      `console/ knows ${folder}/ by ${opener} alone; take what the ports offer`,
      elsewhere,
      {
        path: under(folder),
      },
    ),
    rule('console-database', `in console/ only ${folder}/ may open a database`, elsewhere, { path: driver }),
  ];
}

function rule(name: string, comment: string, from: Rule['from'], to: Rule['to']): Rule {
  return { name, comment, severity: 'error', from, to };
}

function under(place: string): string {
  return place.endsWith('.ts') ? `^${place.replace('.', '\\.')}$` : `^${place}/`;
}

function packageNamed(name: string): string {
  return `(^|/)node_modules/${name}/`;
}
