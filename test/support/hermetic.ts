// Loaded before every test file: whatever the machine's user has set must not change what git, Python or Node do.

const GONE =
  /^((https?|all|no|ftp)_proxy|git_.*|python(path|home|startup|userbase)|virtual_env|node_options)$/i;

for (const name of Object.keys(process.env)) {
  if (GONE.test(name)) delete process.env[name];
}

Object.assign(process.env, {
  // a keystore of the machine is none of a test's business
  EDGE_AGENT_KEYSTORE: 'file',
  GIT_CONFIG_GLOBAL: '/dev/null',
  GIT_CONFIG_NOSYSTEM: '1',
  GIT_TERMINAL_PROMPT: '0',
  GIT_AUTHOR_NAME: 'Edge-Agent Test',
  GIT_AUTHOR_EMAIL: 'test@example.invalid',
  GIT_COMMITTER_NAME: 'Edge-Agent Test',
  GIT_COMMITTER_EMAIL: 'test@example.invalid',
  LC_ALL: 'C.UTF-8',
  PYTHONDONTWRITEBYTECODE: '1',
  PYTHONNOUSERSITE: '1',
  TZ: 'UTC',
});
