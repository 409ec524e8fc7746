import { describe } from 'vitest';
import { tellingEach } from '../support/hostile-git/catalogue.ts';
import { FLOOR_LIES, SLOW_LIES } from '../support/hostile-git/slow-lies.ts';

tellingEach({ pace: SLOW_LIES }, { timeout: '3s', tries: 20 });

// The floor is 30 s long: EDGE_AGENT_SLOW_TESTS=1 waits for it.
describe.skipIf(process.env['EDGE_AGENT_SLOW_TESTS'] === undefined)('beside the floor of speed', () => {
  tellingEach({ speed: FLOOR_LIES }, { timeout: '50s', tries: 3 });
});
