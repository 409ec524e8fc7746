import type { Obstacles } from '../../agent/obstacles.ts';
import { heldAsSaid, heldClause } from '../../schemas/held-clause.ts';
import type { ServiceStatus } from '../../schemas/service.ts';
import type { FlowStatus, Status } from '../../schemas/status.ts';
import { ago, bytes, shortDigests, type Terminal, table } from '../terminal.ts';
import { doubtedIdentity, NO_AGENT, unenrolledVerdict, withoutIdentity } from './identity.ts';

/** What the document does not say. */
export interface StatusExtras {
  /** Who keeps this machine so. */
  readonly agent: string;
  readonly obstacles: Obstacles;
  /** It has a console and is no agent of it. */
  readonly unenrolled: boolean;
}

/** The status document for people: a verdict first, then what it rests on. */
export function renderStatus(
  status: Status,
  terminal: Terminal,
  now: Date,
  extras: StatusExtras | null = null,
): void {
  const { paint } = terminal;
  const obstacles = extras?.obstacles ?? { flows: [], tunnel: null };
  const unenrolled = extras?.unenrolled === true;
  terminal.line(unenrolled ? unenrolledVerdict(status, terminal) : verdict(status, terminal));
  terminal.line();
  const { source } = status;
  const rows: [string, string][] = [
    ['Tenant', `${status.tenant}${status.agent_id === null ? '' : `  (agent ${status.agent_id})`}`],
    ['Desired', revisionLine(source.desired_revision, source.commit)],
    ['Applied', source.last_applied_revision === null ? 'nothing yet' : short(source.last_applied_revision)],
    ['Trust', trustLine(status)],
    [
      'Last sync',
      source.last_sync_at === null ? 'never' : ago(now.getTime() - Date.parse(source.last_sync_at)),
    ],
    ...tunnelRow(status, obstacles.tunnel, terminal, now),
    ['Runs', `${status.runs.running} running, ${status.runs.queued} queued${lastRun(status, now)}`],
    [
      'Reports',
      `${status.outbox.pending} waiting${status.outbox.parked > 0 ? `, ${status.outbox.parked} parked` : ''}`,
    ],
    ['Disk', `${bytes(status.disk.used)} used, ${bytes(status.disk.free)} free`],
  ];
  if (status.suspended !== null) {
    const until = status.suspended.until === null ? 'until resumed' : `until ${status.suspended.until}`;
    rows.splice(4, 0, [
      'Suspended',
      paint('yellow', `by ${status.suspended.by}, ${until}: ${status.suspended.why}`),
    ]);
  }
  const { identity } = status;
  if (identity?.message != null) rows.splice(1, 0, ['Identity', paint('red', identity.message)]);
  if (unenrolled) rows.splice(1, 0, ['Identity', paint('red', NO_AGENT)]);
  if (extras !== null) rows.push(['Agent', extras.agent]);
  if (status.config.error !== null) rows.push(['Config', paint('red', status.config.error)]);
  for (const [name, value] of rows) terminal.line(`${paint('dim', name.padEnd(10))} ${value}`);
  if (status.flows.length === 0) return;
  terminal.line();
  const shown = status.flows.map((flow) => flowRow(flow, terminal, now));
  for (const line of table(['flow', 'active', 'desired', 'phase', 'health', 'since'], shown))
    terminal.line(line);
  const reasons = new Map(obstacles.flows.map(({ flow, message }) => [flow, message]));
  for (const flow of status.flows) {
    const reason = reasons.get(flow.id);
    if (flow.quarantined !== null)
      terminal.line(paint('red', `${flow.id}: quarantined: ${shortDigests(flow.quarantined.reason)}`));
    else if (reason !== undefined)
      terminal.line(paint(phaseColour(flow.phase), `${flow.id}: ${flow.phase}: ${shortDigests(reason)}`));
    if (flow.service !== null) terminal.line(serviceLine(flow.id, flow.service, terminal));
    if (flow.held !== null)
      terminal.line(paint('yellow', `${flow.id}: held by ${flow.held.by}: ${flow.held.why}`));
  }
}

/** One sentence: is what should run here what runs here, and if not, why not. */
export function verdict(status: Status, terminal: Terminal): string {
  const ready = status.conditions.find((condition) => condition.type === 'Ready');
  const stalled = status.conditions.find((condition) => condition.type === 'Stalled');
  const doubt = doubtedIdentity(status);
  const reconciling = status.conditions.find((condition) => condition.type === 'Reconciling');
  const told = (message: string) => shortDigests(message);
  if (ready?.status === 'True' && doubt !== null) {
    const label = terminal.paint('yellow', `! ${doubt.label}`);
    return `${label}  ${doubt.says}; ${told(withoutIdentity(ready.message, status))}${heldIn(status, ready.message)}`;
  }
  if (ready?.status === 'True')
    return `${terminal.paint('green', '● Ready')}  ${told(ready.message)}${heldIn(status, ready.message)}`;
  // its token ended with the agent, and another one cannot be put in its place by hand
  const over = status.identity?.state === 'revoked' || status.identity?.state === 'key_retired';
  if (over && doubt !== null && stalled?.reason === 'credentials_refused')
    return `${terminal.paint('yellow', `! ${doubt.label}`)}  ${doubt.says}; what is active goes on`;
  if (stalled !== undefined) return `${terminal.paint('red', '● Stalled')}  ${told(stalled.message)}`;
  if (reconciling !== undefined)
    return `${terminal.paint('yellow', '● Reconciling')}  ${told(reconciling.message)}`;
  const why = ready === undefined ? 'nothing is known yet' : withoutIdentity(ready.message, status);
  return `${terminal.paint('yellow', '● Not ready')}  ${why}`;
}

/** What a person keeps from being as the branch says, after a sentence that may say some of it. */
export function heldIn(status: Status, sentence = ''): string {
  const said = heldAsSaid(sentence);
  const held = status.flows
    .filter((flow) => flow.held !== null)
    .map((flow) => `${flow.id} at ${flow.active_version}`)
    .filter((each) => !said.includes(each));
  return held.length === 0 ? '' : `; ${heldClause(held)}`;
}

/** `tenant/acme@3f2a9c1d04be`: enough digits to find the commit. */
export function short(revision: string): string {
  return revision.replace(/@sha(?:1|256):([0-9a-f]{12})[0-9a-f]*$/, '@$1');
}

function revisionLine(revision: string | null, commit: Status['source']['commit']): string {
  if (revision === null) return 'not seen yet';
  return commit === null
    ? short(revision)
    : `${short(revision)}  ${commit.subject} (${commit.author}, ${commit.time})`;
}

function trustLine(status: Status): string {
  const { mode, seq, root_version, release_expires } = status.trust;
  if (mode === 'off') return 'off: releases are not verified';
  if (seq === null) return `${mode}: no signed release accepted yet`;
  return `${mode}: release seq ${seq}, root ${root_version}, expires ${release_expires}`;
}

function lastRun(status: Status, now: Date): string {
  const { last } = status.runs;
  if (last === null) return '';
  const when = last.finished_at === null ? '' : ` ${ago(now.getTime() - Date.parse(last.finished_at))}`;
  return `; last: ${last.flow} ${last.state}${when}`;
}

function flowRow(flow: FlowStatus, terminal: Terminal, now: Date): string[] {
  return [
    flow.id,
    flow.active_version ?? '-',
    flow.desired_version ?? '-',
    terminal.paint(phaseColour(flow.phase), flow.phase),
    flow.health === 'unhealthy' ? terminal.paint('red', flow.health) : flow.health,
    ago(now.getTime() - Date.parse(flow.since)),
  ];
}

function phaseColour(phase: FlowStatus['phase']): 'green' | 'red' | 'yellow' {
  if (phase === 'active') return 'green';
  return phase === 'stalled' || phase === 'refused' ? 'red' : 'yellow';
}

function tunnelRow(
  { tunnel, identity }: Status,
  why: string | null,
  { paint }: Terminal,
  now: Date,
): [string, string][] {
  if (tunnel.state === 'none') return [];
  const since = tunnel.since === null ? '' : `, ${ago(now.getTime() - Date.parse(tunnel.since))}`;
  const colour = tunnel.state === 'connected' ? 'green' : 'yellow';
  // the console says there what it says of the identity everywhere
  const refers = identity?.message != null && why?.includes('this agent') === true;
  const because = tunnel.state === 'connected' || why === null ? '' : `: ${refers ? 'see Identity' : why}`;
  return [['Tunnel', `${paint(colour, tunnel.state)}${since}${because}`]];
}

function serviceLine(flow: string, service: ServiceStatus, { paint }: Terminal): string {
  const where = service.url === null ? '' : ` at ${service.url}`;
  const restarts =
    service.restarts === 0
      ? ''
      : `, restarted ${service.restarts === 1 ? 'once' : `${service.restarts} times`}`;
  const why =
    service.message === null
      ? ''
      : `: ${service.message}; "edge-agent logs service-${flow}" shows what it printed`;
  const line = `${flow}: service ${service.state}${where}${restarts}${why}`;
  const colours = {
    ready: 'green',
    broken: 'red',
    starting: 'yellow',
    restarting: 'yellow',
    stopped: 'dim',
  } as const;
  return paint(colours[service.state], line);
}
