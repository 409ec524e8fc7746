import { frpConfig } from './frp-config.ts';
import type { TunnelProgram } from './tunnel-program.ts';

const FAILED = [
  /connect to server error: (.*)$/,
  /\] start error: (.*)$/,
  /^login to the server failed: (.*?)\. With/,
];

/** frpc 0.52 and later. */
export const frp: TunnelProgram = {
  name: 'frpc',
  install: 'frpc 0.52 or later (a release of fatedier/frp)',
  certificates: 'all',
  configuration: frpConfig,
  arguments: (configPath) => ['-c', configPath],
  environment: {},
  reader: () => {
    let ready = false;
    return (line) => {
      for (const pattern of FAILED) {
        const failed = pattern.exec(line);
        if (failed !== null) return { kind: 'failed', cause: failed[1] ?? '' };
      }
      if (line.endsWith('] start proxy success')) {
        ready = true;
        return { kind: 'ready' };
      }
      // Of a lost connection it says nothing but that it looks for the next.
      return ready && line.endsWith('try to connect to server...')
        ? { kind: 'failed', cause: 'the connection to the server was lost' }
        : null;
    };
  },
};
