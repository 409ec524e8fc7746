import { ratholeConfig } from './rathole-config.ts';
import type { TunnelProgram } from './tunnel-program.ts';

const FAILED = /Failed to run the control channel: (.*?)(?:\. Retry in \S+)?$/;

/** rathole 0.5. It panics, and aborts, on what it did not expect: a failed WebSocket handshake, a certificate that is none. */
export const rathole: TunnelProgram = {
  name: 'rathole',
  install: 'rathole 0.5 (cargo install rathole, or a release of rathole-org/rathole)',
  certificates: 'first',
  configuration: ratholeConfig,
  arguments: (configPath) => ['--client', configPath],
  // Without `info` the line that says it is ready does not come.
  environment: { RUST_LOG: 'info', RUST_BACKTRACE: '0' },
  reader: () => (line) => {
    const failed = FAILED.exec(line);
    if (failed !== null) return { kind: 'failed', cause: failed[1] ?? '' };
    return line.endsWith(': Control channel established') ? { kind: 'ready' } : null;
  },
};
