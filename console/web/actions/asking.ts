import type { ActionName, ActionRequest } from '../../../schemas/console/action.ts';

/** What somebody is about to ask of agents. */
export interface Asking {
  readonly action: ActionName;
  readonly targets: ActionRequest['targets'];
  /** How many agents that is. */
  readonly count: number;
  /** Of the one agent, when it is one. */
  readonly hostname?: string;
  /** Whose flows may be chosen; null: of all tenants that are looked at. */
  readonly tenant: string | null;
  /** Chosen already; otherwise the dialog asks for it. */
  readonly flow?: string;
  /** Flows of the one agent; otherwise those of the tenant are offered. */
  readonly flows?: readonly string[];
  readonly version?: string;
  /** What the inputs begin with, and where that is from. */
  readonly inputs?: unknown;
  readonly inputsNote?: string;
  /** Of `cancel`. */
  readonly runId?: string;
}

/** What the fields of the dialog hold. */
export interface Draft {
  readonly flow: string;
  readonly version: string;
  /** JSON text. */
  readonly inputs: string;
  /** For how long, in hours; '' until somebody resumes. */
  readonly hours: string;
}

export function draftOf(asking: Asking): Draft {
  return {
    flow: asking.flow ?? (asking.flows?.length === 1 ? (asking.flows[0] ?? '') : ''),
    version: asking.version ?? '',
    inputs: asking.inputs === undefined ? '' : JSON.stringify(asking.inputs, null, 2),
    hours: '',
  };
}

type Written =
  | { readonly kind: 'request'; readonly request: ActionRequest }
  /** A field that is not filled in yet, or holds no JSON object. */
  | { readonly kind: 'flow_missing' }
  | { readonly kind: 'inputs_malformed' };

/** The request that the dialog stands for. `now`: what `until` counts from. */
export function requestOf(asking: Asking, draft: Draft, reason: string, now: Date): Written {
  const { action, targets } = asking;
  const base: ActionRequest = { action, targets, reason };
  switch (action) {
    case 'run': {
      if (draft.flow === '') return { kind: 'flow_missing' };
      const inputs = objectIn(draft.inputs);
      if (inputs === null) return { kind: 'inputs_malformed' };
      const version = draft.version === '' ? {} : { version: draft.version };
      return { kind: 'request', request: { ...base, flow: draft.flow, inputs, ...version } };
    }
    case 'rollback':
      if (draft.flow === '') return { kind: 'flow_missing' };
      return { kind: 'request', request: { ...base, flow: draft.flow } };
    case 'suspend': {
      if (draft.hours === '') return { kind: 'request', request: base };
      const until = new Date(now.getTime() + Number(draft.hours) * 3_600_000).toISOString();
      return { kind: 'request', request: { ...base, until } };
    }
    case 'cancel':
      return { kind: 'request', request: { ...base, run_id: asking.runId } };
    case 'reconcile':
    case 'resume':
    case 'revoke':
      return { kind: 'request', request: base };
  }
}

/** The inputs as the field holds them; null where that is no JSON object. */
export function objectIn(text: string): ActionRequest['inputs'] | null {
  if (text.trim() === '') return {};
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return null;
    return value as ActionRequest['inputs'];
  } catch {
    return null;
  }
}
