import { createHash } from 'node:crypto';

/** Same agent, flow and time, same id: a time is run once, whatever the clock or a crash does. A UUIDv8 (RFC 9562, section 5.8). */
export function scheduledRunId(agent: string, flow: string, at: Date): string {
  const digest = createHash('sha256').update(`schedule\n${agent}\n${flow}\n${at.toISOString()}`).digest();
  digest.writeUInt8((digest.readUInt8(6) & 0x0f) | 0x80, 6);
  digest.writeUInt8((digest.readUInt8(8) & 0x3f) | 0x80, 8);
  const hex = digest.toString('hex', 0, 16);
  return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`;
}
