// Who may import whom: the table of docs/architecture.md as data. A folder may always import from itself.

export interface Allowed {
  /** Folders, or single files of a folder. */
  readonly folders: readonly string[];
  /** Names, or all that package.json has under `dependencies`. */
  readonly packages: readonly string[] | 'declared';
  /** Whether `node:` modules may be imported. */
  readonly node: boolean;
}

const MATTER = ['trust', 'sources', 'store', 'executors', 'sinks'];

const part: Allowed = {
  folders: ['schemas', 'reconciler/ports.ts', 'system'],
  packages: 'declared',
  node: true,
};

export const PRODUCT: Readonly<Record<string, Allowed>> = {
  schemas: { folders: [], packages: ['zod'], node: false },
  system: { folders: ['schemas'], packages: 'declared', node: true },
  // It decides and touches nothing: time, disk and network come through its ports.
  reconciler: { folders: ['schemas'], packages: [], node: false },
  ...Object.fromEntries(MATTER.map((folder) => [folder, part])),
  agent: { folders: ['schemas', 'reconciler', 'system', ...MATTER], packages: 'declared', node: true },
  cli: { folders: ['agent', 'schemas', 'system'], packages: 'declared', node: true },
  console: { folders: ['schemas', 'system', 'trust'], packages: 'declared', node: true },
};

/**
 * The console's pages, which run in a browser: a folder inside another, and neither may reach into the other. Their packages are
 * bundled, so that they are for development; of the schemas and zod they take types alone, since the code of both would have to
 * be fetched.
 */
export const PAGES = {
  folder: 'console/web',
  types: ['schemas', 'zod'],
  packages: ['@tanstack/preact-query', '@tanstack/virtual-core', 'preact', 'wouter-preact'],
} as const;

/**
 * What a console keeps is behind ports (docs/decisions/0088): which database it is, one module says.
 */
export const CONSOLE_STORE = {
  folder: 'console/store/sqlite',
  opener: 'console/store/open-store.ts',
  driver: '^(node:)?sqlite$',
} as const;

/** May import anything; the product imports none of it. */
export const OUTSIDE = ['test', 'examples', 'bench', 'scripts', 'packaging'];

/** Packages that belong to some folders: elsewhere they would be a second way to do the same thing. */
export const HOMES_OF_PACKAGE: Readonly<Record<string, readonly string[]>> = {
  commander: ['cli', 'console'],
  fastify: ['console'],
  ws: ['sources', 'console'],
};
