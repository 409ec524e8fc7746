import { z } from 'zod';
import { isLoopback } from './urls.ts';

const Path = z.string().min(1).max(4_096);
const SERVER = /^(\[[0-9A-Fa-f:.]{2,45}\]|[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?):(\d{1,5})$/;
const LABEL = '[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?';

const serverLike = (example: string) =>
  z.string().refine((text) => {
    const port = Number(SERVER.exec(text)?.[2] ?? 0);
    return port > 0 && port <= 65_535;
  }, `expected a host and a port such as ${example}`);

/** The two halves of `tunnel.server`; an IPv6 address without its brackets. */
export function splitServer(server: string): { readonly host: string; readonly port: number } {
  const [, host = '', port = ''] = SERVER.exec(server) ?? [];
  return { host: host.replace(/^\[|\]$/g, ''), port: Number(port) };
}

const keys = {
  token_file: Path,
  transport: z.enum(['tcp', 'tls', 'noise', 'websocket']).default('tls'),
  remote_public_key: z
    .string()
    .regex(
      /^[A-Za-z0-9+/]{43}=$/,
      'expected an X25519 public key of 32 bytes in base64, as rathole --genkey prints it',
    )
    .optional(),
  ca_file: Path.optional(),
  binary: Path.optional(),
};

/** `tunnel` of kind rathole or frp in agent.yaml (contract, sections 2 and 8). Paths are as written. */
export const RatholeTunnel = z
  .strictObject({
    kind: z.literal('rathole'),
    server: serverLike('tunnel.example:2333'),
    service: z
      .string()
      .regex(
        /^[^\p{Cc}]{1,128}$/u,
        'expected the name of the service at the server: 1 to 128 characters, no control characters',
      ),
    ...keys,
  })
  .superRefine(checkTransport);

export const FrpTunnel = z
  .strictObject({
    kind: z.literal('frp'),
    server: serverLike('tunnel.example:7000'),
    service: z
      .string()
      .regex(
        new RegExp(`^(?=.{1,253}$)${LABEL}(\\.${LABEL})*$`),
        'expected a subdomain (acme-lyon) or a whole host name (acme-lyon.tunnel.example), in lower case',
      ),
    ...keys,
  })
  .superRefine(checkTransport);

export type TunnelClient = z.infer<typeof RatholeTunnel> | z.infer<typeof FrpTunnel>;

type Checked = {
  readonly kind: 'rathole' | 'frp';
  readonly server: string;
  readonly transport: 'tcp' | 'tls' | 'noise' | 'websocket';
  readonly remote_public_key?: string | undefined;
  readonly ca_file?: string | undefined;
};

/** Whatever leaves this machine is encrypted, and its other end is who it should be (decision 0068). */
function checkTransport(tunnel: Checked, context: z.RefinementCtx): void {
  const fault = (key: keyof Checked, message: string) =>
    context.addIssue({ code: 'custom', path: [key], message });
  const { kind, transport } = tunnel;
  const secured = transport === 'tls' || transport === 'websocket';
  const { host } = splitServer(tunnel.server);
  if (kind === 'frp' && transport === 'noise')
    fault('transport', 'expected tls, websocket or tcp for frp, which has no noise, found noise');
  if (transport === 'tcp' && !isLoopback(host))
    fault('transport', `expected an encrypted transport (plain tcp only to loopback), found tcp to ${host}`);
  if (kind === 'rathole' && transport === 'noise' && tunnel.remote_public_key === undefined)
    fault('remote_public_key', "expected the server's public key, as transport noise needs it, found none");
  if (transport !== 'noise' && tunnel.remote_public_key !== undefined)
    fault('remote_public_key', `expected transport noise with remote_public_key, found ${transport}`);
  if (!secured && tunnel.ca_file !== undefined)
    fault('ca_file', `expected transport tls or websocket with ca_file, found ${transport}`);
  if (kind === 'frp' && secured && tunnel.ca_file === undefined)
    fault(
      'ca_file',
      `expected the PEM file of the server's CA, as transport ${transport} needs it (without one frpc believes any certificate), found none`,
    );
}
