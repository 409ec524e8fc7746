import type { Part } from './part.ts';

const frp = { version: 'v0.66.0', module: 'github.com/fatedier/frp' };

/** A tunnel's client. */
export const frpc: Part = {
  name: 'frpc',
  version: frp.version,
  build: { kind: 'go-module', module: frp.module, package: './cmd/frpc' },
  takes: 'one to two minutes',
};

/** The same tunnel's server; most of it is compiled with the client. */
export const frps: Part = {
  name: 'frps',
  version: frp.version,
  build: { kind: 'go-module', module: frp.module, package: './cmd/frps' },
  takes: 'half a minute',
};
