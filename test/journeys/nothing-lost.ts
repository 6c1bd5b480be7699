import { expect } from 'vitest';
import type { KillPlan, KillReport } from './kill.ts';

/** Every acknowledged thing has one outcome, each counted once, and the books balance. */
export function expectNothingLost(report: KillReport, plan: KillPlan): void {
  expect(report.orphans).toEqual([]);
  expect(report.conflicting).toEqual([]);
  expect([...report.answers.values()].filter((count) => count !== 1)).toEqual([]);
  expect(report.answers.size).toBe(plan.predictions);
  expect([...report.rewards.values()].filter((count) => count !== 1)).toEqual([]);
  expect(report.rewards.size).toBe(plan.predictions);
  expect(report.runs.failed).toEqual([]);
  expect(report.runs).toMatchObject({ requested: plan.runs, completed: plan.runs });
  expect([...report.completions.values()].filter((count) => count !== 1)).toEqual([]);
  expect(report.completions.size).toBe(2 * plan.runs);
  expect(report.auditIntact).toBe(true);
  expect(report.ledger['gaps'] ?? 0).toBe(0);
  expect(report.ledger['dead'] ?? 0).toBe(0);
}
