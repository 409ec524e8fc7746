import { hostname } from 'node:os';
import type { Clock, EventSink, StateDocuments } from '../reconciler/ports.ts';
import type { AgentConfig } from '../schemas/agent-config.ts';
import type { PostAnswer } from '../sinks/delivery.ts';
import { createSaasClient } from '../sinks/saas-client.ts';
import type { HttpClient } from '../system/http-client.ts';
import type { Log } from '../system/log.ts';
import { deviceKeyStoreOf } from '../trust/device-keys.ts';
import { createDeviceIdentity, type DeviceIdentity } from './device-identity.ts';
import { createIdentityStanding, type IdentityStanding } from './identity-standing.ts';
import { createKeyRotation } from './key-rotation.ts';
import { createKeySchedule, type KeySchedule } from './key-schedule.ts';
import { comesFrom, machineFingerprint, noteMachine } from './machine-fingerprint.ts';
import { osName } from './version.ts';

/** A change of key that was cut short is settled before the first call, or the call is made without. */
const SETTLE_DEADLINE_MS = 10_000;
const LEAVE_DEADLINE_MS = 10_000;

export interface IdentityInputs {
  readonly credentialsDir: string;
  readonly config: () => AgentConfig;
  readonly bootId: string;
  readonly documents: Pick<StateDocuments, 'read' | 'write'>;
  readonly saas: () => HttpClient;
  readonly events: () => EventSink;
  readonly stateChanged: () => void;
  readonly clockOffsetMs: () => number;
  readonly clock: Clock;
  readonly log: Log;
}

/** Who this agent is to the console: its key and the change of it, its machine, and what the console thinks of it. */
export interface Identity {
  readonly device: DeviceIdentity;
  readonly standing: IdentityStanding;
  readonly keys: KeySchedule;
  /** `POST /edge/unenroll`: this agent is one no more. Null when there is nobody to tell, or nothing to tell it with. */
  leave(signal: AbortSignal): Promise<PostAnswer | null>;
  /** Says once that the credentials were used on another machine before. */
  noteMachine(): Promise<void>;
}

export function createIdentity(inputs: IdentityInputs): Identity {
  const { credentialsDir, config, clock, log } = inputs;
  const agentId = () => config().agent_id ?? null;
  const saasUrl = () => (agentId() === null ? null : (config().saas_url ?? null));
  const events: EventSink = { emit: (draft) => inputs.events().emit(draft) };
  const store = () => deviceKeyStoreOf(credentialsDir);
  let fingerprint: Promise<string | null> | null = null;
  const machine = () => (fingerprint ??= machineFingerprint(agentId() ?? ''));

  const device = createDeviceIdentity(credentialsDir, agentId, clock, inputs.clockOffsetMs, {
    async speaker() {
      const host = hostname().slice(0, 255) || 'unnamed';
      return { boot: inputs.bootId, machine: await machine(), host, os: osName() };
    },
    settle: () => rotation.settle(AbortSignal.timeout(SETTLE_DEADLINE_MS)),
  });
  const rotation = createKeyRotation({
    store,
    agentId,
    saasUrl,
    now: () => device.now(),
    onChanged: () => device.reload(),
    postAs(signer, next) {
      const url = saasUrl();
      if (url === null) return null;
      const authorize = async (method: string, called: URL) =>
        (await device.authorizeAs(signer, method, called, next)) ?? '';
      return createSaasClient({ client: inputs.saas(), saasUrl: url, authorize, clock }).post;
    },
  });
  const keys = createKeySchedule({ rotation, store, documents: inputs.documents, events, clock, log });
  const standing = createIdentityStanding({
    enrolled: () => agentId() !== null,
    events,
    clock,
    stateChanged: inputs.stateChanged,
    rotationAsked: () => keys.asked(),
  });

  const post = () => {
    const url = saasUrl();
    if (url === null) return null;
    const authorize = async (method: string, called: URL) => (await device.authorize(method, called)) ?? '';
    return createSaasClient({
      client: inputs.saas(),
      saasUrl: url,
      authorize,
      clock,
      deadlineMs: LEAVE_DEADLINE_MS,
    }).post;
  };

  return {
    async leave(signal) {
      const has = (await (await store()).read('current').catch(() => null)) !== null;
      return has ? ((await post()?.('/edge/unenroll', {}, {}, signal)) ?? null) : null;
    },
    device,
    standing,
    keys,
    async noteMachine() {
      const id = agentId();
      const here = await machine();
      if (id === null || here === null) return;
      try {
        const before = await comesFrom(credentialsDir, id, here);
        if (before !== null) {
          const because = `they were used on ${before.hostname} before, and are used on ${hostname()} now; after a move or a restored backup nothing has to be done; if the other machine still runs, one of the two is a copy: run "edge-agent unenroll --local" on it, then enrol it with a token of its own`;
          const message = 'the credentials of this agent are from another machine';
          events.emit({ severity: 'warning', reason: 'MachineChanged', message, because });
        }
        await noteMachine(credentialsDir, id, here);
      } catch (error) {
        log.warn('the machine could not be noted beside the credentials', { error });
      }
    },
  };
}
