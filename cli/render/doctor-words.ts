import type { DoctorGroup } from '../../schemas/doctor.ts';

export interface DoctorWords {
  readonly groups: Readonly<Record<DoctorGroup, string>>;
  readonly expected: string;
  readonly fix: string;
  readonly nothing: string;
  /** Over what fails, told once more at the end. */
  readonly attend: string;
  summary(ok: number, warn: number, fail: number): string;
  readonly daemon: (pid: number, verb: string) => string;
  readonly alone: string;
}

/** What frames the findings; their sentences are those of the agent's messages. */
export const DOCTOR_WORDS: Readonly<Record<'en' | 'fr', DoctorWords>> = {
  en: {
    groups: {
      configuration: 'Configuration',
      credentials: 'Credentials',
      trust: 'Trust',
      state: 'State',
      network: 'Network',
      clock: 'Clock',
      flows: 'Flows',
      agent: 'Agent',
    },
    expected: 'expected',
    fix: 'do',
    nothing: 'Nothing is in the way.',
    attend: 'To be seen to:',
    summary: (ok, warn, fail) => `${ok} fine, ${warn} to note, ${fail} failing`,
    daemon: (pid, verb) => `edge-agent ${verb} is at work (process ${pid})`,
    alone: 'no agent is at work',
  },
  fr: {
    groups: {
      configuration: 'Configuration',
      credentials: 'Identifiants',
      trust: 'Confiance',
      state: 'État',
      network: 'Réseau',
      clock: 'Horloge',
      flows: 'Flows',
      agent: 'Agent',
    },
    expected: 'attendu',
    fix: 'à faire',
    nothing: 'Rien ne bloque.',
    attend: 'À traiter :',
    summary: (ok, warn, fail) => `${ok} en ordre, ${warn} à noter, ${fail} en échec`,
    daemon: (pid, verb) => `edge-agent ${verb} est à l’œuvre (processus ${pid})`,
    alone: 'aucun agent n’est à l’œuvre',
  },
};
