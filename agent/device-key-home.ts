import type { Log } from '../system/log.ts';
import { settleDeviceKeys } from '../trust/device-keys.ts';

/**
 * Brings the device key to the keystore that EDGE_AGENT_KEYSTORE asks for. A keystore that is locked or missing stops no agent: the
 * key stays where it is, and what needs it says so when it is used. Whoever calls this holds the state lock.
 */
export async function settleDeviceKey(credentialsDir: string, log: Log): Promise<void> {
  try {
    const settled = await settleDeviceKeys(credentialsDir);
    if (settled.kind === 'moved')
      log.info('The device key was moved', { from: settled.from, to: settled.to });
  } catch (error) {
    log.warn('The device key stays where it is', { because: (error as Error).message });
  }
}
