import { z } from 'zod';

/** `credentials_dir/artifacts.json` (contract, section 2). */
export const ArtifactCredentials = z.strictObject({
  access_key: z.string().min(1),
  secret_key: z.string().min(1),
});
export type ArtifactCredentials = z.infer<typeof ArtifactCredentials>;

/** `credentials_dir/secrets.yaml`: flow secrets by name. */
export const FlowSecrets = z.record(
  z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,127}$/, 'expected a variable name such as CRM_PASSWORD'),
  z.string(),
);
export type FlowSecrets = z.infer<typeof FlowSecrets>;
