import type { EnrolAnswer } from '../../../schemas/enrolment.ts';
import type { Agent, AgentDescription } from './agents.ts';
import type { AuditEntry } from './audit.ts';
import type { KeyStanding } from './device-keys.ts';
import type { Tenant } from './tenants.ts';

/** Which token, and which device brings it. */
export interface EnrolmentCall {
  readonly token: {
    /** Its id, `jti`. */
    readonly id: string;
    readonly tenant: string;
    readonly root_sha256: string;
    /** Seconds since 1970. */
    readonly expires_at: number;
  };
  readonly thumbprint: string;
}

/** The answer as it is kept: without the git token, which is derived again. */
export type KeptAnswer = EnrolAnswer;

/** All that is known of the two, at one moment. */
export interface EnrolmentFacts {
  readonly isTokenRevoked: boolean;
  /** What the token was answered with before, and how the key that it served, and the agent, stand. */
  readonly served: {
    readonly thumbprint: string;
    readonly answer: KeptAnswer;
    readonly agent: Agent | null;
    /** Of the key that calls now, with that agent. */
    readonly standing: KeyStanding;
  } | null;
  /** Whose key in force it is. */
  readonly holder: Agent | null;
  /** The key was somebody's, before another took its place. */
  readonly wasReplaced: boolean;
  readonly tenant: Tenant | null;
  /** The text of the root that the token pins. */
  readonly root: string | null;
}

export type EnrolmentStep =
  /** The same device again: its git token is in force once more. */
  | { readonly kind: 'again'; readonly agent_id: string; readonly gitToken: string }
  | {
      readonly kind: 'first';
      readonly agent: AgentDescription;
      readonly gitToken: string;
      readonly answer: KeptAnswer;
      readonly told: AuditEntry;
    };

export interface EnrolmentRows {
  /** One step: what `decide` makes of the facts is written. It is synchronous and touches nothing; what it throws ends the step. */
  enrol<T extends EnrolmentStep>(
    call: EnrolmentCall,
    at: Date,
    decide: (facts: EnrolmentFacts) => T,
  ): Promise<T>;
  /** Forgets answers whose token has expired before (seconds since 1970); whom it served is kept with the token. How many. */
  prune(before: number): Promise<number>;
}
