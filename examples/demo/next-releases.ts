import { join } from 'node:path';
import type { Event } from '../../schemas/event.ts';
import type { Cast } from './cast.ts';
import { shortDigests } from './json-view.ts';
import { pointerChanges, pointerLines } from './pointer-view.ts';
import { sendRun } from './remote-run.ts';
import { ORDERS, type Stage } from './stage.ts';

/** What the console shows of a switch; the rest of the history is in `edge-agent events`. */
const TOLD: readonly Event['reason'][] = [
  'RevisionSeen',
  'ReleaseVerified',
  'BundleFetched',
  'VersionActivated',
  'RevisionApplied',
];

export async function publishTheNextRelease(stage: Stage, cast: Cast): Promise<void> {
  const { narrator, signal, fail } = stage;
  const { machine, fleet, publisher, saas, others } = cast;
  narrator.step('The daemons open their tunnels; release 2 wakes them up');
  narrator.typed('edge-agent run');
  const pid = machine.startDaemon(fail);
  const connected = fleet.all.map(({ host, agentId }) =>
    saas.arrivals.event(
      `the tunnel of ${host} to be open`,
      ({ agent_id, reason }) => agent_id === agentId && reason === 'TunnelConnected',
      signal,
    ),
  );
  // The publisher does not wait for them.
  const [report] = await Promise.all([publisher.upload('daily-report', 'v1.1.0'), ...connected]);
  narrator.good(
    `the daemon is up (process ${pid}), and those of the other ${fleet.all.length - 1}; all have called the console: no port is open on any machine`,
  );
  const before = await machine.pointer();

  await publisher.writeManifest([report, ...others]);
  await publisher.sign();
  const push = await publisher.commitAndPush('Release 2: daily-report v1.1.0');
  narrator.typed('edge-agent release sign ... && git push');
  narrator.say(
    `Commit ${push.commit.slice(0, 12)} is pushed; the console nudges all five through their tunnels. What it heard of ${machine.host}:`,
  );
  const applied = await saas.arrivals.event(
    'the agent to apply release 2',
    ({ agent_id, reason, revision }) =>
      agent_id === machine.agentId &&
      reason === 'RevisionApplied' &&
      revision?.endsWith(push.commit) === true,
    signal,
  );
  const told = saas.arrivals.events.filter(
    ({ agent_id, time, reason, seq }) =>
      agent_id === machine.agentId &&
      Date.parse(time) >= push.at.getTime() &&
      seq <= applied.seq &&
      TOLD.includes(reason),
  );
  for (const { time, reason, message } of told) {
    const seconds = ((Date.parse(time) - push.at.getTime()) / 1_000).toFixed(1);
    narrator.printed(`+${seconds} s  ${reason.padEnd(16)} ${shortDigests(message)}`);
  }
  const after = await machine.pointer();
  narrator.say('The pointer was swapped in one step:');
  narrator.shown(pointerChanges(before.current, after.current));
}

/** What an operator asks for from afar, signed by a key of the role `trigger`. The page does the same with the copy that the console holds. */
export async function commandARun({ narrator, signal, folder }: Stage, cast: Cast): Promise<void> {
  const { machine, saas } = cast;
  narrator.step('A signed command runs a flow from afar');
  const { runId, answer } = await sendRun(saas, machine.agentId, join(folder, 'keys', 'trigger.jwk'));
  narrator.typed('POST /api/agents/<agent_id>/commands   (a JWS by trigger.jwk)');
  narrator.printed(`202 ${JSON.stringify(answer)}`);
  const report = await saas.arrivals.run(
    'the result of the command at /edge/notify',
    ({ run_id }) => run_id === runId,
    signal,
  );
  const { status, trigger, version, stdout } = report;
  narrator.good(
    `the console received ${JSON.stringify({ status, trigger, version, stdout: stdout.trim() })}`,
  );
}

export async function tamperWithARelease(stage: Stage, cast: Cast): Promise<void> {
  const { narrator, signal } = stage;
  const { machine, publisher, saas, others } = cast;
  narrator.step('Release 3 is tampered with, and refused');
  narrator.say(
    'Somebody got hold of the token that may push and upload, but not of the release key: a bundle of theirs, a manifest.json that names it, the old signature.',
  );
  const before = await machine.pointer();
  const theirs = await publisher.uploadFiles('daily-report', 'v6.6.6', {
    'main.py': 'print("your orders are mine")\n',
  });
  await publisher.writeManifest([theirs, ...others]);
  const push = await publisher.commitAndPush('Release 3: daily-report v6.6.6');
  narrator.typed('git push   (without a new signature)');
  const refused = await saas.arrivals.event(
    'the agent to refuse release 3',
    ({ agent_id, reason, revision }) =>
      agent_id === machine.agentId && reason === 'ReleaseRefused' && revision?.endsWith(push.commit) === true,
    signal,
  );
  narrator.bad(
    `${refused.reason}, code ${narrator.paint('bold', refused.because ?? '')}: ${shortDigests(refused.message)}`,
  );
  const after = await machine.pointer();
  if (after.text !== before.text) {
    throw new Error(
      `expected current.json to stay as it was, found:\n${pointerChanges(before.current, after.current).join('\n')}`,
    );
  }
  narrator.good('current.json is byte for byte what it was:');
  narrator.shown(pointerLines(after.current));
  await runDailyReport(stage, cast);
  narrator.say('The publisher takes it back:');
  narrator.typed('git revert HEAD && git push');
  const back = await publisher.revertAndPush();
  await saas.arrivals.event(
    'the agent to apply what it had before',
    ({ agent_id, reason, revision }) =>
      agent_id === machine.agentId &&
      reason === 'RevisionApplied' &&
      revision?.endsWith(back.commit) === true,
    signal,
  );
  narrator.typed('edge-agent status');
  narrator.printed((await machine.agent(['status'])).all);
}

async function runDailyReport({ narrator }: Stage, { machine }: Cast): Promise<void> {
  narrator.typed(`edge-agent trigger daily-report --input '{"orders": [...]}' --wait`);
  const { all } = await machine.agent(['trigger', 'daily-report', '--input', ORDERS, '--wait']);
  narrator.printed(all);
}
