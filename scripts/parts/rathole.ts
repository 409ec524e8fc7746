import type { Part } from './part.ts';

/** A tunnel: server and client are one program. */
export const rathole: Part = {
  name: 'rathole',
  version: '0.5.0',
  build: {
    kind: 'cargo',
    crate: 'rathole',
    // All but hot-reload: the agent writes the configuration anew and starts the client again.
    features: ['client', 'server', 'tls', 'noise', 'websocket'],
    // 0.3.29, which its lock file names, does not compile since Rust 1.80.
    updates: { time: '0.3.36' },
  },
  takes: 'two to four minutes',
};
