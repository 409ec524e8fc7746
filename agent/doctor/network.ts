import { createArtifactProbe } from './artifact-probe.ts';
import type { Callers } from './callers.ts';
import { consoleFinding, sourceFinding } from './calls.ts';
import type { Check, Finding } from './check.ts';
import { connectionFindings, type Network } from './connection.ts';
import type { Patient } from './patient.ts';
import { tunnelChecks } from './tunnel.ts';

/** Every server that agent.yaml names, each on its own: the name, the connection, the certificate, and a harmless call. */
export function networkChecks(patient: Patient, network: Network, callers: Callers): Check[] {
  const { config } = patient.loaded;
  const base = { group: 'network', code: 5, expected: 'an answer' } as const;
  const reach = (
    name: string,
    url: URL,
    call: ((signal: AbortSignal) => Promise<Finding>) | null,
  ): Check => ({
    ...base,
    name,
    async run(signal) {
      const findings = await connectionFindings(name, url, network, signal);
      const reached = findings.every(({ status }) => status !== 'fail');
      return reached && call !== null ? [...findings, await call(signal)] : findings;
    },
  });
  const { saas_url: saasUrl } = config;
  return [
    ...(saasUrl === undefined
      ? []
      : [reach('network.console', new URL(saasUrl), (signal) => consoleFinding(patient, callers, signal))]),
    reach('network.source', new URL(config.source.url), (signal) => sourceFinding(patient, callers, signal)),
    ...artifactStores(patient).map(({ url, name }, at) =>
      reach(
        at === 0 ? 'network.artifacts' : `network.artifacts_${at + 1}`,
        url,
        name === 'endpoint' ? createArtifactProbe(patient, callers, url) : null,
      ),
    ),
    ...tunnelChecks(patient, network, callers),
  ];
}

/** Where bundles come from: the S3 endpoint, and the origins of the allow-list. */
function artifactStores({ loaded: { config } }: Patient): { url: URL; name: 'endpoint' | 'origin' }[] {
  const { endpoint, allow } = config.artifacts;
  const own = endpoint === undefined ? [] : [{ url: new URL(endpoint), name: 'endpoint' as const }];
  const listed = (allow ?? [new URL(config.source.url).origin])
    .filter((prefix) => /^https?:/.test(prefix) && URL.canParse(prefix))
    .map((prefix) => new URL(prefix).origin);
  const others = [...new Set(listed)].filter((origin) => origin !== own[0]?.url.origin);
  return [...own, ...others.map((origin) => ({ url: new URL(origin), name: 'origin' as const }))];
}
