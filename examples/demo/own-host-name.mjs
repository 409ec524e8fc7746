// Loaded before the agent: the machines of the demo are folders of one machine, and each has a host name of its own.
import { syncBuiltinESMExports } from 'node:module';
import os from 'node:os';

const name = process.env.DEMO_HOST_NAME;
if (name !== undefined) {
  os.hostname = () => name;
  syncBuiltinESMExports();
}
