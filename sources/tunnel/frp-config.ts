import { splitServer } from '../../schemas/tunnel-client.ts';
import { tomlTable } from './toml-text.ts';
import type { ClientInputs } from './tunnel-program.ts';

const HEARTBEAT_S = 15;
/** As long as the WebSocket tunnel bears silence (contract, section 8). */
const SILENCE_S = 45;

/**
 * `frpc.toml` of frp 0.52 and later: one proxy of type http, for `/commands` alone. `service` with a dot is the whole host name
 * under which the server finds it, without one a subdomain of the server's `subDomainHost`.
 */
export function frpConfig({ tunnel, token, localPort, caFile, proxy }: ClientInputs): string {
  const { transport, server, service } = tunnel;
  const { host, port } = splitServer(server);
  const encrypted = transport !== 'tcp';
  return [
    tomlTable(null, {
      serverAddr: host,
      serverPort: port,
      // One process is one connection: the agent starts the next, with a backoff.
      loginFailExit: true,
      'auth.method': 'token',
      'auth.token': token,
      'log.to': 'console',
      'log.level': 'info',
      'log.disablePrintColor': true,
      'transport.protocol': transport === 'websocket' ? 'websocket' : 'tcp',
      'transport.proxyURL': proxy,
      'transport.heartbeatInterval': HEARTBEAT_S,
      'transport.heartbeatTimeout': SILENCE_S,
      'transport.tls.enable': encrypted,
      'transport.tls.serverName': encrypted ? host : null,
      'transport.tls.trustedCaFile': caFile,
    }),
    tomlTable('[[proxies]]', {
      name: service,
      type: 'http',
      localIP: '127.0.0.1',
      localPort,
      ...(service.includes('.') ? { customDomains: [service] } : { subdomain: service }),
      locations: ['/commands'],
    }),
  ].join('');
}
