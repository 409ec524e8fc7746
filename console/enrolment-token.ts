import { errors, jwtVerify, SignJWT } from 'jose';
import { EnrolmentToken } from '../schemas/enrolment.ts';
import { RequestRefused } from './refusal.ts';

const TYP = 'edge-enrolment+jwt';

/** Makes the token a person carries to the machine: `{tenant, saas_url, root_sha256, exp, jti}`, HS256, for this console only. */
export async function signEnrolmentToken(claims: EnrolmentToken, key: Uint8Array): Promise<string> {
  const { tenant, saas_url, root_sha256, exp, jti } = EnrolmentToken.parse(claims);
  return new SignJWT({ tenant, saas_url, root_sha256 })
    .setProtectedHeader({ alg: 'HS256', typ: TYP })
    .setJti(jti)
    .setExpirationTime(exp)
    .sign(key);
}

/** Throws 401 when the token is not ours, altered, or expired. */
export async function verifyEnrolmentToken(
  token: string,
  key: Uint8Array,
  now: Date,
): Promise<EnrolmentToken> {
  try {
    const { payload } = await jwtVerify(token, key, { algorithms: ['HS256'], typ: TYP, currentDate: now });
    return EnrolmentToken.parse(payload);
  } catch (error) {
    if (error instanceof errors.JWTExpired) {
      throw new RequestRefused(
        401,
        'token_expired',
        'expected an enrolment token that is still good, found one that has expired; ask for a new one',
      );
    }
    if (!(error instanceof errors.JOSEError) && (error as Error).name !== 'ZodError') throw error;
    throw new RequestRefused(
      401,
      'token_not_ours',
      'expected an enrolment token made by this console, found another or an altered one; ask for a new one',
    );
  }
}
