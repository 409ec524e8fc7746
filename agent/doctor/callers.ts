import type { Clock } from '../../reconciler/ports.ts';
import type { ClockOffset } from '../../system/clock-estimate.ts';
import { createHttpClient, type HttpClient } from '../../system/http-client.ts';
import { type Credentials, createCredentials } from '../credentials.ts';
import { createDeviceIdentity } from '../device-identity.ts';
import { AGENT_VERSION } from '../version.ts';
import type { Patient } from './patient.ts';

/** What one server's answers said of our clock. */
export interface ClockSample extends ClockOffset {
  readonly server: string;
}

/** How the doctor asks servers: as the agent does, with clients of its own, and noting what they say of the time. */
export interface Callers {
  client(server: 'console' | 'source' | 'artifacts' | 'tunnel'): HttpClient;
  /** `Bearer <JWT>`, by the console's time once it has answered; null when the agent is not enrolled. */
  authorize(method: string, url: URL | string): Promise<string | null>;
  readonly credentials: Credentials;
  readonly clock: Clock;
  samples(): ClockSample[];
  close(): void;
}

export function createCallers({ loaded, paths }: Patient, clock: Clock): Callers {
  const samples = new Map<string, ClockSample>();
  const clients = new Map<string, HttpClient>();
  const { network, agent_id: agentId } = loaded.config;
  const make = (server: string) =>
    createHttpClient({
      userAgent: `edge-agent/${AGENT_VERSION} doctor`,
      clock,
      onClockOffset(offsetMs, errorMs) {
        const before = samples.get(server);
        if (before === undefined || before.errorMs >= errorMs)
          samples.set(server, { server, offsetMs, errorMs });
      },
      ...(paths.caFile === null ? {} : { caFile: paths.caFile }),
      ...(network.proxy === undefined ? {} : { proxy: network.proxy }),
    });
  const identity = createDeviceIdentity(
    paths.credentials,
    () => agentId ?? null,
    clock,
    () => samples.get('console')?.offsetMs ?? samples.get('tunnel')?.offsetMs ?? 0,
  );
  return {
    client(server) {
      const client = clients.get(server) ?? make(server);
      clients.set(server, client);
      return client;
    },
    authorize: (method, url) => identity.authorize(method, url),
    credentials: createCredentials(paths.credentials, true),
    clock,
    samples: () => [...samples.values()],
    close() {
      for (const client of clients.values()) client.close();
    },
  };
}
