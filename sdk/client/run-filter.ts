import { timeText } from './http-caller.ts';

/** Which runs and artifacts are wanted. Times are milliseconds since the epoch, or ISO 8601. */
export interface RunFilter {
  readonly flow?: string;
  readonly status?: 'running' | 'completed' | 'failed' | 'cancelled';
  readonly actor?: string;
  /** Requested at or after. */
  readonly since?: number | string | Date;
  /** Requested before. */
  readonly until?: number | string | Date;
  /** User or system tags; a run has all of them. */
  readonly tags?: readonly string[];
  readonly parameters?: Readonly<Record<string, unknown>>;
  /** Of any task: small JSON values only. */
  readonly artifacts?: Readonly<Record<string, unknown>>;
  /** Of a page, 9999 at most. @default 50 */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly cursor?: string;
}

export interface ArtifactFilter {
  readonly runId?: string;
  readonly taskId?: string;
  readonly step?: string;
  readonly name?: string;
  readonly hash?: string;
  /** Small JSON values only. */
  readonly value?: unknown;
  readonly limit?: number;
  readonly cursor?: string;
}

/** Which tasks of a run are wanted. */
export interface TaskFilter {
  readonly step?: string;
  /** waiting, running, completed, cancelled or the kind of failure. */
  readonly status?: string;
  readonly task?: string;
  /** Of one page, 9999 at most; 0: none, the run alone. @default all pages */
  readonly limit?: number;
  /** `next` of the page before. */
  readonly cursor?: string;
}

export function taskQuery(filter: TaskFilter): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(filter)) if (value !== undefined) query.append(name, String(value));
  return query.size === 0 ? '' : `?${query.toString()}`;
}

export function runQuery(filter: RunFilter, namespace: string | null): string {
  const { flow, status, actor, since, until, tags = [], parameters = {}, artifacts = {}, limit, cursor } = filter;
  const query = new URLSearchParams();
  const one = { flow, status, actor, since: timeText(since), until: timeText(until), limit, cursor };
  for (const [name, value] of Object.entries(one)) if (value !== undefined) query.append(name, String(value));
  for (const tag of namespace === null ? tags : [namespace, ...tags]) query.append('tag', tag);
  for (const [name, value] of Object.entries(parameters)) query.append('parameter', `${name}=${JSON.stringify(value)}`);
  for (const [name, value] of Object.entries(artifacts)) query.append('artifact', `${name}=${JSON.stringify(value)}`);
  return query.size === 0 ? '' : `?${query.toString()}`;
}

export function artifactQuery({ runId, taskId, value, ...rest }: ArtifactFilter): string {
  const query = new URLSearchParams();
  const all = { run: runId, task: taskId, ...rest, value: value === undefined ? undefined : JSON.stringify(value) };
  for (const [name, given] of Object.entries(all)) if (given !== undefined) query.append(name, String(given));
  return query.size === 0 ? '' : `?${query.toString()}`;
}
