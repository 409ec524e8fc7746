import { splitServer } from '../../schemas/tunnel-client.ts';
import { tomlString, tomlTable } from './toml-text.ts';
import type { ClientInputs } from './tunnel-program.ts';

/** As long as the WebSocket tunnel bears silence (contract, section 8); rathole's server speaks every 30 s. */
const SILENCE_S = 45;

/** `client.toml` of rathole 0.5: one service, on one loopback port. */
export function ratholeConfig({ tunnel, token, localPort, caFile, proxy }: ClientInputs): string {
  const { transport, server, service } = tunnel;
  const { host } = splitServer(server);
  const parts = [
    tomlTable('[client]', { remote_addr: server, heartbeat_timeout: SILENCE_S }),
    tomlTable('[client.transport]', { type: transport }),
    proxy === null ? '' : tomlTable('[client.transport.tcp]', { proxy }),
  ];
  if (transport === 'tls' || transport === 'websocket') {
    // The name is written down: of [::1]:2333 rathole would take the brackets for a part of it.
    parts.push(tomlTable('[client.transport.tls]', { hostname: host, trusted_root: caFile }));
  }
  if (transport === 'websocket') parts.push(tomlTable('[client.transport.websocket]', { tls: true }));
  if (transport === 'noise') {
    const key = tunnel.remote_public_key ?? null;
    parts.push(tomlTable('[client.transport.noise]', { remote_public_key: key }));
  }
  parts.push(
    tomlTable(`[client.services.${tomlString(service)}]`, { token, local_addr: `127.0.0.1:${localPort}` }),
  );
  return parts.join('').trimStart();
}
