/** How a flow runs in production, as data: its project, its limit on open runs, the tags of its runs. */
import { shownValue } from './shown-value.ts';
import { nameProblem } from './flow-graph-problems.ts';

export interface FlowPolicy {
  /** Flows of one project are deployed by branch, and their names are theirs alone. */
  readonly project?: string;
  readonly concurrency?: ConcurrencyLimit;
  /** Tags of every run of the deployed flow. */
  readonly tags?: readonly string[];
}

export interface ConcurrencyLimit {
  /** Open runs of the deployed flow at most. */
  readonly max: number;
  /** What becomes of a start beyond it: it waits, is skipped, or is refused. @default 'queue' */
  readonly overflow?: 'queue' | 'skip' | 'refuse';
}

export const policyLimits = { max: 10_000, queued: 1_000, tags: 50, tagCharacters: 500 } as const;

/** What is wrong with a policy; empty when nothing is. */
export function policyProblems(value: unknown): readonly string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return ['the policy must be an object'];
  const { project, concurrency, tags } = value as Readonly<Record<string, unknown>>;
  const problems: string[] = [];
  if (project !== undefined && !(typeof project === 'string' && projectPattern.test(project)))
    problems.push(`project must be 1 to 40 characters of a-z, 0-9 and '_', got ${JSON.stringify(project)}`);
  if (concurrency !== undefined) problems.push(...concurrencyProblems(concurrency));
  if (tags !== undefined)
    problems.push(...(Array.isArray(tags) ? tagProblems(tags) : ['tags must be a list of texts']));
  return problems;
}

/** Tags are texts of at most 500 characters, 50 of them at most. */
export function tagProblems(tags: readonly unknown[]): readonly string[] {
  const problems = tags.flatMap((tag) =>
    typeof tag === 'string' && tag.trim() !== '' && tag.length <= policyLimits.tagCharacters
      ? []
      : [`a tag must be a text of 1 to ${policyLimits.tagCharacters} characters, got ${shownValue(tag)}`],
  );
  if (new Set(tags).size > policyLimits.tags)
    problems.push(`a run has at most ${policyLimits.tags} tags, got ${new Set(tags).size}`);
  return problems;
}

/** A deployed name: `flow`, or `project.branch.flow` with branch `user.<name>`, `test.<b>`, `prod` or `prod.<b>`. */
export interface DeployedName {
  readonly project?: string;
  readonly branch?: string;
  /** Name of the flow itself. */
  readonly flow: string;
}

export type Branch = { readonly production?: boolean; readonly branch?: string; readonly user: string };

/** Branch of a deployment: production, a test branch, or the user's own. */
export function branchName({ production = false, branch, user }: Branch): string {
  if (production) return branch === undefined ? 'prod' : `prod.${branch}`;
  return branch === undefined ? `user.${user.toLowerCase().replace(/[^a-z0-9_]/g, '_')}` : `test.${branch}`;
}

/** The key under which a flow is deployed. */
export function deployedName(flow: string, project: string | undefined, branch: string): string {
  return project === undefined ? flow : `${project}.${branch}.${flow}`;
}

export function parseDeployedName(name: string): DeployedName {
  const parts = name.split('.');
  const flow = parts.at(-1) ?? '';
  if (parts.length === 1) return { flow };
  return { project: parts[0] ?? '', branch: parts.slice(1, -1).join('.'), flow };
}

/** Why a flow cannot be deployed under this name; undefined when it can. */
export function deployedNameProblem(name: string): string | undefined {
  const { project, branch, flow } = parseDeployedName(name);
  const problem = nameProblem('flow', flow);
  if (problem !== undefined) return problem;
  if (name.length > 128) return `the deployed name '${name.slice(0, 140)}' is longer than 128 characters`;
  if (project === undefined || branch === undefined) return undefined;
  if (!projectPattern.test(project)) return `project '${project.slice(0, 80)}' must be of a-z, 0-9 and '_'`;
  return /^(prod|(user|test|prod)\.[a-z0-9_]{1,40})$/.test(branch)
    ? undefined
    : `branch '${branch.slice(0, 80)}' must be user.<name>, test.<branch>, prod or prod.<branch>, of a-z, 0-9 and '_'`;
}

const projectPattern = /^[a-z0-9_]{1,40}$/;

function concurrencyProblems(value: unknown): readonly string[] {
  const { max, overflow = 'queue' } = (typeof value === 'object' && value !== null ? value : {}) as Partial<
    Readonly<Record<string, unknown>>
  >;
  const problems: string[] = [];
  if (!Number.isInteger(max) || (max as number) < 1 || (max as number) > policyLimits.max)
    problems.push(`concurrency.max must be an integer of 1 to ${policyLimits.max}, got ${shownValue(max)}`);
  if (!['queue', 'skip', 'refuse'].includes(String(overflow)))
    problems.push(`concurrency.overflow must be queue, skip or refuse, got ${shownValue(overflow)}`);
  return problems;
}
