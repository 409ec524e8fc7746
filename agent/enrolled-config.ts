import { dirname, isAbsolute, relative, sep } from 'node:path';
import { isMap, isScalar, parseDocument, stringify } from 'yaml';
import { AgentConfig } from '../schemas/agent-config.ts';
import { formatProblem } from '../system/document-problem.ts';
import { parseYaml } from '../system/yaml-document.ts';
import { configPath } from './paths.ts';

/** What an enrolment decides of agent.yaml. Paths are absolute, or begin with `~`. */
export interface EnrolledFacts {
  readonly tenant: string;
  readonly agentId: string;
  readonly saasUrl: string;
  readonly sourceUrl: string;
  readonly credentialsDir: string;
  readonly root: string;
  /** The root is that of a TUF repository. */
  readonly tuf: boolean;
  /** Null: as it is, or the default. */
  readonly cacheDir: string | null;
  readonly artifactsAllow: readonly string[] | null;
  readonly artifactsEndpoint: string | null;
  readonly tunnelUrl: string | null;
  readonly caFile: string | null;
  readonly proxy: string | null;
}

/** The text of a new agent.yaml: what is not the default, and a word on each. */
export function newConfigText(facts: EnrolledFacts, configFile: string): string {
  const path = (absolute: string) => value(writtenPath(absolute, configFile));
  const blocks = [
    `# Edge-Agent on this machine, written by "edge-agent enroll".
# This file is watched: what is saved here counts at once, and a mistake leaves the last good version in force.
# Check it: edge-agent validate. Durations are written 30s, 5m, 24h, sizes 64KiB, 2GiB; paths start at this file.
version: 1`,
    `# The customer this machine works for, who it is there, and where it reports.
tenant: ${value(facts.tenant)}
agent_id: ${value(facts.agentId)}
saas_url: ${value(facts.saasUrl)}`,
    `# Readable by this account alone: the device key, the git token, the pinned root. Secrets of flows go there as secrets.yaml.
credentials_dir: ${path(facts.credentialsDir)}`,
    facts.cacheDir === null
      ? null
      : `# Where versions, runs and the state of the agent live.
edge_cache_dir: ${path(facts.cacheDir)}`,
    `# What should run here: the branch tenant/${facts.tenant} of this repository, asked every minute.
source:
  url: ${value(facts.sourceUrl)}`,
    `# Only releases signed under this root are taken.
trust:${facts.tuf ? '\n  mode: tuf' : ''}
  root: ${path(facts.root)}`,
    artifacts(facts),
    facts.caFile === null && facts.proxy === null
      ? null
      : `# How the network is reached; flows are told too.
network:${facts.caFile === null ? '' : `\n  ca_file: ${path(facts.caFile)}`}${facts.proxy === null ? '' : `\n  proxy: ${value(facts.proxy)}`}`,
    facts.tunnelUrl === null
      ? null
      : `# The connection outwards through which runs can be asked for at once.
tunnel:
  kind: websocket
  url: ${value(facts.tunnelUrl)}`,
  ];
  return `${blocks.filter((block) => block !== null).join('\n\n')}\n`;
}

/**
 * An agent.yaml of the same agent, brought up to date: only what differs is changed, and whatever a person wrote beside it
 * (comments, labels, limits, allow-list) stays. The same text when nothing differs.
 */
export function updatedConfigText(
  text: string,
  config: AgentConfig,
  facts: EnrolledFacts,
  configFile: string,
): string {
  const document = parseDocument(text);
  let changed = false;
  const set = (path: string[], written: string | undefined, wanted: string | null) => {
    if (wanted === null || written === wanted) return;
    document.setIn(path, wanted);
    changed = true;
  };
  const setPath = (path: string[], written: string | undefined, wanted: string | null) => {
    if (wanted === null) return;
    if (written !== undefined && configPath(written, configFile) === configPath(wanted, configFile)) return;
    set(path, written, writtenPath(wanted, configFile));
  };
  if (config.agent_id === undefined && isMap(document.contents)) {
    // where a new agent.yaml has it
    const place = document.contents.items.findIndex(({ key }) => isScalar(key) && key.value === 'tenant');
    document.contents.items.splice(place + 1, 0, document.createPair('agent_id', facts.agentId));
    changed = true;
  } else set(['agent_id'], config.agent_id, facts.agentId);
  set(['saas_url'], config.saas_url, facts.saasUrl);
  // the address of files over http is another one than that of the repository, and only a person can have written it
  if (config.source.kind === 'git') set(['source', 'url'], config.source.url, facts.sourceUrl);
  setPath(['credentials_dir'], config.credentials_dir, facts.credentialsDir);
  setPath(['edge_cache_dir'], config.edge_cache_dir, facts.cacheDir);
  if (facts.tuf !== (config.trust.mode === 'tuf')) {
    set(['trust', 'mode'], config.trust.mode, facts.tuf ? 'tuf' : 'required');
  }
  setPath(['trust', 'root'], config.trust.root, facts.root);
  setPath(['network', 'ca_file'], config.network.ca_file, facts.caFile);
  set(['network', 'proxy'], config.network.proxy, facts.proxy);
  return changed ? document.toString({ lineWidth: 0 }) : text;
}

/** A text that is to become agent.yaml, held to the schema; `fault` says where it is wrong. */
export function readConfigText(text: string): { config: AgentConfig } | { fault: string } {
  const parsed = parseYaml(text, AgentConfig);
  if (parsed.kind === 'valid') return { config: parsed.value };
  return { fault: parsed.problems.map((problem) => formatProblem('agent.yaml', problem)).join('\n') };
}

/** Relative where the file lies beside or below agent.yaml, so that the folder can be moved as a whole. */
function writtenPath(path: string, configFile: string): string {
  if (!isAbsolute(path)) return path;
  const below = relative(dirname(configFile), path);
  if (below === '' || isAbsolute(below) || below === '..' || below.startsWith(`..${sep}`)) return path;
  return `./${below.split(sep).join('/')}`;
}

function artifacts({ artifactsAllow, artifactsEndpoint }: EnrolledFacts): string | null {
  if (artifactsAllow === null && artifactsEndpoint === null) return null;
  const allow = artifactsAllow?.map((prefix) => `\n    - ${value(prefix)}`).join('');
  const list = allow === undefined ? '' : `\n  allow:${allow === '' ? ' []' : allow}`;
  const endpoint = artifactsEndpoint === null ? '' : `\n  endpoint: ${value(artifactsEndpoint)}`;
  return `# Bundles are downloaded from below these addresses and from nowhere else.\nartifacts:${list}${endpoint}`;
}

/** A text as YAML, quoted where it has to be, on one line. */
function value(text: string): string {
  return stringify(text, { lineWidth: 0, defaultStringType: 'PLAIN', blockQuote: false }).trimEnd();
}
