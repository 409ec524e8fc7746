import { defineConfig } from 'vitest/config';

export default defineConfig({
  cacheDir: '.cache/vite',
  test: {
    include: ['test/**/*.test.ts'],
    exclude: ['test/fixtures/**', '**/node_modules/**'],
    environment: 'node',
    // Tests end processes and change their own environment: each file has a process of its own.
    pool: 'forks',
    maxWorkers: 2,
    globalSetup: ['test/support/built-command.ts', 'test/support/skipped-parts.ts'],
    setupFiles: ['test/support/hermetic.ts'],
    // A guard against hanging, not a measure: a busy machine runs a command in seconds.
    testTimeout: 120_000,
    hookTimeout: 120_000,
    // A test that passes on the second try has found something.
    retry: 0,
    // What is waited for comes within milliseconds, unless the machine is busy.
    expect: { poll: { timeout: 60_000 } },
    allowOnly: false,
    coverage: {
      provider: 'v8',
      reportsDirectory: 'coverage',
      include: ['{schemas,reconciler,trust,sources,store,executors,sinks,system,agent,cli,console}/**/*.ts'],
    },
  },
});
