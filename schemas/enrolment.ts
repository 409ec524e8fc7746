import { z } from 'zod';
import { DeviceJwk } from './jws.ts';
import { Id, Sha256, Slug } from './names.ts';
import { ArtifactPrefix, SecureUrl, TunnelUrl } from './urls.ts';

/** Payload of an enrolment token, a JWT made by the console (contract, section 7). */
export const EnrolmentToken = z.looseObject({
  tenant: Slug,
  saas_url: SecureUrl,
  root_sha256: Sha256,
  exp: z.int().min(1),
  jti: z.string().min(1).max(128),
});
export type EnrolmentToken = z.infer<typeof EnrolmentToken>;

export const EnrolRequest = z.object({
  token: z.string().min(1).max(8_192),
  device_jwk: DeviceJwk,
  hostname: z.string().max(255),
  os: z.string().max(64),
  arch: z.string().max(64),
  agent_version: z.string().max(64),
});
export type EnrolRequest = z.infer<typeof EnrolRequest>;

/** 201 answer of `POST /edge/enroll`. `root` is the exact text of the root document. */
export const EnrolAnswer = z.looseObject({
  agent_id: Id,
  tenant: Slug,
  git: z.looseObject({ url: SecureUrl, token: z.string().min(1).nullish() }),
  root: z
    .string()
    .min(1)
    .max(512 * 1024),
  tunnel_url: TunnelUrl.nullish(),
  artifacts: z
    .looseObject({
      allow: z.array(ArtifactPrefix).nullish(),
      endpoint: SecureUrl.nullish(),
      access_key: z.string().nullish(),
      secret_key: z.string().nullish(),
    })
    .nullish(),
});
export type EnrolAnswer = z.infer<typeof EnrolAnswer>;
