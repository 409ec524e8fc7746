import type { CaseReport } from './report.ts';

export interface BenchOptions {
  /** Rounds of each measurement; null is the case's own number. */
  readonly rounds: number | null;
  /** How long the idle agent is watched, in seconds. */
  readonly idleSeconds: number;
  /** What is going on, for a person who waits. */
  readonly say: (text: string) => void;
}

export interface BenchCase {
  readonly number: number;
  readonly title: string;
  measure(options: BenchOptions): Promise<CaseReport>;
}
