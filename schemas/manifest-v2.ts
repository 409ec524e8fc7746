import { z } from 'zod';
import { Cron } from './cron.ts';
import { PositiveDuration } from './duration.ts';
import { BundlePath, BundleSize, CpuArch, EdgeUrl, Runtime } from './manifest-v1.ts';
import { FlowId, Sha256Input, VersionName } from './names.ts';

const EnvName = z
  .string()
  .regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'expected a variable name such as CRM_PASSWORD');
const Argument = z
  .string()
  .max(8_192)
  .refine((text) => !text.includes('\0'), 'expected no NUL');

export const HealthCheck = z.strictObject({
  args: z.array(Argument).max(256).default([]),
  timeout: PositiveDuration.prefault('30s'),
});

/** What is asked for with GET on the service's own port. */
const ProbePath = z
  .string()
  .max(2_048)
  .regex(/^\/[!-~]*$/, 'expected a path that begins with "/", without spaces, such as /health');

export const ServiceSpec = z.strictObject({
  port_env: EnvName.default('PORT'),
  ready: ProbePath.optional(),
  live: ProbePath.optional(),
});

export const FlowEntry = z.strictObject({
  id: FlowId,
  version: VersionName,
  edge_url: EdgeUrl,
  sha256: Sha256Input,
  size: BundleSize.optional(),
  runtime: Runtime,
  cpu_arch: CpuArch.default('any'),
  entrypoint: BundlePath.optional(),
  args: z.array(Argument).max(256).default([]),
  schedule: Cron.optional(),
  timeout: PositiveDuration.optional(),
  lock: z
    .string()
    .regex(/^[A-Za-z0-9._-]{1,64}$/, 'expected 1 to 64 of letters, digits, ".", "_" and "-", such as desktop')
    .optional(),
  overlap: z.enum(['queue', 'skip', 'replace']).default('queue'),
  missed: z.enum(['skip', 'run_once']).default('skip'),
  retries: z.int().min(0).max(100).default(0),
  env: z.record(EnvName, z.string().max(32_768)).default({}),
  secrets: z.array(EnvName).max(256).default([]),
  depends_on: z.array(FlowId).max(256).default([]),
  targets: z.record(z.string().min(1).max(63), z.string().max(255)).default({}),
  health: HealthCheck.optional(),
  service: ServiceSpec.optional(),
});
export type FlowEntry = z.infer<typeof FlowEntry>;

/** Manifest v2 (contract, section 3): several flows in one release, unknown fields refused. */
export const ManifestV2 = z
  .strictObject({
    manifest_version: z.literal(2),
    allow_empty: z.boolean().optional(),
    flows: z.array(FlowEntry).max(10_000),
  })
  .superRefine((manifest, context) => {
    const ids = new Map(manifest.flows.map((flow, index) => [flow.id, index]));
    for (const [index, flow] of manifest.flows.entries()) {
      if (ids.get(flow.id) !== index) {
        const message = `expected each flow id once, found "${flow.id}" again`;
        context.addIssue({ code: 'custom', path: ['flows', index, 'id'], message });
      }
      for (const [position, needed] of flow.depends_on.entries()) {
        if (ids.has(needed) && needed !== flow.id) continue;
        const message = `expected the id of another flow of this manifest, found "${needed}"`;
        context.addIssue({ code: 'custom', path: ['flows', index, 'depends_on', position], message });
      }
    }
    const cycle = dependencyCycle(manifest.flows);
    if (cycle !== null) {
      const message = `expected no cycle in depends_on, found ${cycle.join(' → ')}`;
      context.addIssue({ code: 'custom', path: ['flows'], message });
    }
  });
export type ManifestV2 = z.infer<typeof ManifestV2>;

/** The first cycle of `depends_on`, its first id repeated at the end, or null. Iterative: 10,000 flows in a chain are fine. */
export function dependencyCycle(
  flows: readonly { id: string; depends_on: readonly string[] }[],
): string[] | null {
  const needs = new Map(flows.map((flow) => [flow.id, flow.depends_on]));
  const done = new Set<string>();
  for (const flow of flows) {
    const path: string[] = [];
    const onPath = new Set<string>();
    const stack: { id: string; next: number }[] = [{ id: flow.id, next: 0 }];
    while (stack.length > 0) {
      const top = stack[stack.length - 1] as { id: string; next: number };
      if (top.next === 0) {
        if (done.has(top.id)) {
          stack.pop();
          continue;
        }
        path.push(top.id);
        onPath.add(top.id);
      }
      const child = needs.get(top.id)?.[top.next];
      top.next += 1;
      if (child === undefined) {
        done.add(top.id);
        onPath.delete(top.id);
        path.pop();
        stack.pop();
      } else if (onPath.has(child)) {
        return [...path.slice(path.indexOf(child)), child];
      } else if (!done.has(child)) {
        stack.push({ id: child, next: 0 });
      }
    }
  }
  return null;
}
