import { describeOffset } from '../clock-watch.ts';
import type { ClockSample } from './callers.ts';
import { type CheckedFinding, type Finding, fail, ok, warn } from './check.ts';
import type { Patient } from './patient.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;
const EXPECTED = 'a clock within a minute of the servers’';

/** This machine's clock against every server that was asked; the rest of the doctor has asked them. */
export function clockFindings(
  samples: readonly ClockSample[],
  patient: Patient | null,
  now: Date,
): CheckedFinding[] {
  const said = samples.map((sample) => offsetFinding(sample, now));
  const findings = [
    ...(said.length === 0
      ? [warn('clock.offset', patient === null ? UNASKED : NOBODY, EXPECTED, null)]
      : said),
    zoneFinding(patient, now),
  ];
  return findings.map((finding) => ({ ...finding, group: 'clock', code: finding.code ?? 4 }));
}

const UNASKED = 'no server was asked: that needs agent.yaml';
const NOBODY = 'no server has answered, so nobody knows';

function offsetFinding(sample: ClockSample, now: Date): Finding {
  const name = `clock.offset.${sample.server}`;
  const here = `here it is ${now.toISOString().slice(0, 19)}Z`;
  const found = `${describeOffset(sample)} the ${sample.server}'s clock; ${here}`;
  const surely = Math.abs(sample.offsetMs) - sample.errorMs;
  const advice = 'set the clock, and let it be kept right (NTP)';
  // releases and certificates are judged by it, and no server may move that
  if (surely > DAY_MS) return fail(name, found, EXPECTED, advice);
  if (surely > MINUTE_MS) return warn(name, found, EXPECTED, advice);
  return ok(name, found, EXPECTED);
}

function zoneFinding(patient: Patient | null, now: Date): Finding {
  const system = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const configured = patient?.loaded.config.timezone;
  const zone = configured ?? system;
  const time = new Intl.DateTimeFormat('sv-SE', { dateStyle: 'short', timeStyle: 'short', timeZone: zone });
  const source = configured === undefined ? 'of the system' : 'of agent.yaml';
  const found = `${zone} (${source}), where it is ${time.format(now)}`;
  return ok('clock.timezone', found, 'the time zone that schedules and windows are meant in');
}
