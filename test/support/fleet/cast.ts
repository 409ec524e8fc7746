import type { SeededChance } from './chance.ts';

export interface CastFlow {
  readonly id: string;
  readonly runtime: 'python' | 'playwright' | 'ahk' | 'subprocess' | 'service';
  readonly schedule: string | null;
  /** Machines that have it; all of them when null. */
  readonly os: string | null;
}

export interface CastRelease {
  readonly seq: number;
  readonly subject: string;
  /** How long before now it was pushed. */
  readonly agoMs: number;
  readonly versions: Readonly<Record<string, string>>;
}

export interface CastTenant {
  readonly slug: string;
  readonly author: string;
  /** Of all agents, about. */
  readonly share: number;
  readonly flows: readonly CastFlow[];
  readonly releases: readonly CastRelease[];
  hostname(place: number, chance: SeededChance): string;
  labels(place: number, chance: SeededChance): Record<string, string>;
}

/** What has become of an agent. Each ends in one `AgentState`, and several in the same for reasons of their own. */
export const PLIGHTS = [
  'ready',
  'quarantined',
  'service-broken',
  'unreachable',
  'fetching',
  'suspended',
  'waiting',
  'revoked',
  'no-network',
  'signature-missing',
  'held',
  'failing-runs',
  'disk-full',
  'outside-window',
  'rolled-back',
  'browser-missing',
  'pending',
  'wrong-arch',
  'copied',
] as const;
export type Plight = (typeof PLIGHTS)[number];

export interface CastMember {
  readonly tenant: CastTenant;
  readonly hostname: string;
  readonly os: string;
  readonly arch: string;
  readonly agentVersion: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly plight: Plight;
  readonly tunnel: boolean;
  readonly enrolledAgoMs: number;
}

const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;
const DAY_MS = 24 * HOUR_MS;
const SITES = ['lyon', 'paris', 'nantes', 'lille', 'toulouse', 'grenoble', 'brest', 'nice'];

const flow = (
  id: string,
  runtime: CastFlow['runtime'],
  schedule: string | null = null,
  os: string | null = null,
): CastFlow => ({ id, runtime, schedule, os });

const ACME: CastTenant = {
  slug: 'acme',
  author: 'Camille Moreau',
  share: 0.66,
  flows: [
    flow('crm-sync', 'python', '*/15 * * * *'),
    flow('daily-report', 'python', '0 6 * * *'),
    flow('invoice-bot', 'playwright', '*/30 7-19 * * 1-5'),
    flow('stock-api', 'service'),
    flow('desktop-import', 'ahk', null, 'windows'),
  ],
  releases: [
    release(1, 'First release of the invoice bot', 29 * DAY_MS, ['v1.0.1', 'v1.0.0']),
    release(2, 'Add the stock API beside the nightly sync', 9 * DAY_MS, [
      'v1.0.2',
      'v1.1.0',
      'v1.0.0',
      'v0.9.0',
    ]),
    release(3, 'Read invoices of the new portal', 2 * DAY_MS, [
      'v1.0.2',
      'v1.1.0',
      'v1.1.0',
      'v0.9.2',
      'v2.0.0',
    ]),
    release(4, 'Fix the VAT of credit notes', 20 * HOUR_MS, [
      'v1.0.3',
      'v1.1.0',
      'v1.1.1',
      'v0.9.2',
      'v2.0.0',
    ]),
    release(5, 'Sync in pages of 500 (closes CRM-1482)', 14 * MINUTE_MS, [
      'v1.1.0',
      'v1.1.0',
      'v1.1.2',
      'v1.0.0',
      'v2.0.1',
    ]),
  ],
  hostname: (place) =>
    `${SITES[place % SITES.length]}-${place % 3 === 0 ? 'caisse' : 'poste'}-${String(place + 1).padStart(2, '0')}`,
  labels: (place) => ({
    site: SITES[place % SITES.length] as string,
    ring: place % 8 === 0 ? 'canary' : 'stable',
    role: place % 3 === 0 ? 'till' : 'office',
  }),
};

/** In the order of the tenant's flows; flows that came later are not in earlier releases. */
function release(
  seq: number,
  subject: string,
  agoMs: number,
  versions: readonly string[],
  names: readonly string[] = ['crm-sync', 'invoice-bot', 'daily-report', 'stock-api', 'desktop-import'],
): CastRelease {
  return {
    seq,
    subject,
    agoMs,
    versions: Object.fromEntries(versions.map((version, place) => [names[place] as string, version])),
  };
}

const NORDWIND_FLOWS = ['label-printer', 'order-intake', 'customs-forms'];
const NORDWIND: CastTenant = {
  slug: 'nordwind-logistik',
  author: 'Jonas Petersen',
  share: 0.24,
  flows: [
    flow('label-printer', 'subprocess', '*/5 * * * *'),
    flow('order-intake', 'python', '*/10 * * * *'),
    flow('customs-forms', 'playwright', '0 5 * * 1-5'),
  ],
  releases: [
    release(1, 'Print labels at the docks', 25 * DAY_MS, ['2026.10.1', '2026.10.1'], NORDWIND_FLOWS),
    release(
      2,
      'Fill customs forms in by themselves',
      5 * HOUR_MS,
      ['2026.11.0', '2026.10.4', '2026.11.0'],
      NORDWIND_FLOWS,
    ),
  ],
  hostname: (place) => `HAM-DOCK-${String(place + 1).padStart(3, '0')}`,
  labels: (place) => ({ dock: `D${place + 1}`, shift: place % 2 === 0 ? 'early' : 'late' }),
};

/** Long enough for every column, and the longest that a flow may have. */
const LONG_FLOW = 'reconciliation-of-supplier-statements-with-the-general-ledger-x';
const ODD_FLOWS = ['a', LONG_FLOW];
const ODD_NAMES = [
  '<script>alert("hostname")</script>',
  '"><img src=x onerror=alert(1)>.example',
  `\u202Eexe.gpj\u202C-מחשב-הנהלה`,
  '🧑🏽‍🏭🏭 atelier n° 3 — « découpe »',
  `${'a-very-long-host-name.'.repeat(11)}example`,
  "Robert'); DROP TABLE agents;--",
  'جهاز-الاستقبال',
  'Z͑ͫ̓ͪ̂ͫ̽͏̴̙̤̞͉͚̯̞̠͍A̴̵̜̰͔ͫ͗͢L̠ͨͧͩ͘G̴̻͈͍͔̹̑͗̎̅͛́Ǫ̵̹̻̝̳͂̌̌͘',
  '{{7*7}}${7*7}%s%n',
  'javascript:alert(document.domain)',
];
const ODD: CastTenant = {
  slug: 'odd-strings',
  author: '<b>Mallory</b> \u202Egnp.exe',
  share: 0.1,
  flows: [flow('a', 'python', '* * * * *'), flow(LONG_FLOW, 'python')],
  releases: [
    release(1, '<img src=x onerror=alert("subject")>', 6 * DAY_MS, ['v1', '0'], ODD_FLOWS),
    release(
      2,
      `${'A subject that goes on and on '.repeat(9)}🚀 \u202Edesrever`,
      3 * HOUR_MS,
      [
        'v1.0.0+a.very.long.build.name.of.sixty-four.characters.in.all.xy',
        'https-evil.example_javascript_alert.1',
      ],
      ODD_FLOWS,
    ),
  ],
  hostname: (place) => ODD_NAMES[place % ODD_NAMES.length] as string,
  labels: (place) => ({
    '<b>key</b>': '<i>value</i> & "quotes"',
    emoji: '🟢',
    long: 'x'.repeat(200),
    rtl: 'שלום',
    place: String(place),
  }),
};

export const TENANTS: readonly CastTenant[] = [ACME, NORDWIND, ODD];

/** Of a hundred, how many are in which plight once each has had its first. */
const COMMON: readonly (readonly [Plight, number])[] = [
  ['ready', 74],
  ['pending', 5],
  ['fetching', 4],
  ['unreachable', 4],
  ['no-network', 3],
  ['quarantined', 2],
  ['suspended', 2],
  ['service-broken', 2],
  ['failing-runs', 2],
  ['waiting', 1],
  ['revoked', 1],
];

/** `count` agents over the tenants; the first of acme are in every plight there is, one each, so that even a small fleet shows all states. */
export function castFleet(count: number, chance: SeededChance): CastMember[] {
  const members: CastMember[] = [];
  const tenants = TENANTS.slice(0, count < 4 ? 1 : TENANTS.length);
  const shares = tenants.reduce((sum, { share }) => sum + share, 0);
  const places = new Map<string, number>();
  for (let index = 0; index < count; index += 1) {
    const tenant = tenantOf(tenants, (index * 0.618_033_988_75) % shares);
    const place = places.get(tenant.slug) ?? 0;
    places.set(tenant.slug, place + 1);
    const plight = tenant.slug === 'acme' && place < PLIGHTS.length ? plightAt(place) : common(chance);
    const windows = tenant.slug === 'acme' && place % 3 !== 0;
    members.push({
      tenant,
      hostname: tenant.hostname(place, chance),
      os: windows ? 'windows' : 'linux',
      arch: plight === 'wrong-arch' || (!windows && place % 9 === 0) ? 'arm64' : 'x86_64',
      agentVersion: place % 11 === 7 ? '0.0.9' : '0.1.0',
      labels: tenant.labels(place, chance),
      plight,
      tunnel: !['unreachable', 'waiting', 'revoked', 'no-network'].includes(plight) && place % 5 !== 4,
      enrolledAgoMs:
        plight === 'waiting' ? chance.between(2, 50) * MINUTE_MS : DAY_MS + chance.between(1, 27) * DAY_MS,
    });
  }
  return members;
}

function tenantOf(tenants: readonly CastTenant[], at: number): CastTenant {
  let rest = at;
  for (const tenant of tenants) {
    if (rest < tenant.share) return tenant;
    rest -= tenant.share;
  }
  return tenants[0] as CastTenant;
}

/** Worst first would put all the bad ones on one page: the good one is first, then the others. */
const plightAt = (place: number) => PLIGHTS[place] as Plight;

function common(chance: SeededChance): Plight {
  let rest = chance.uniform() * COMMON.reduce((sum, [, weight]) => sum + weight, 0);
  for (const [plight, weight] of COMMON) {
    rest -= weight;
    if (rest < 0) return plight;
  }
  return 'ready';
}
