import { timeText } from './http-caller.ts';

/** Which predictions of the request log are wanted. Times are milliseconds since the epoch, or ISO 8601. */
export interface RequestFilter {
  readonly deployment?: string | undefined;
  /** Version of the deployment. */
  readonly version?: number | undefined;
  readonly route?: string | undefined;
  /** That answered: `name` or `name/version`. */
  readonly model?: string | undefined;
  readonly entity?: string | undefined;
  /** `completed`, `failed`, or the code of a failure, such as `TIMEOUT`. */
  readonly outcome?: string | undefined;
  /** Received at or after. */
  readonly since?: number | string | Date | undefined;
  /** Received before. */
  readonly until?: number | string | Date | undefined;
  /** Whether a detector found a row of it to be an outlier. */
  readonly outlier?: boolean | undefined;
  /** Least time from the request to the outcome on the log. */
  readonly slowerThanMs?: number | undefined;
  /** On features and outputs, such as `carat > 2`, `cut = Ideal`, `depth is missing`; one row has all of them. */
  readonly where?: readonly string[] | undefined;
  /** Of a page, 1000 at most. @default 50 */
  readonly limit?: number | undefined;
  /** `next` of the page before. */
  readonly cursor?: string | undefined;
}

export function requestQuery({ since, until, where = [], ...rest }: RequestFilter): string {
  const query = new URLSearchParams();
  const one = { ...rest, since: timeText(since), until: timeText(until) };
  for (const [name, value] of Object.entries(one)) if (value !== undefined) query.append(name, String(value));
  for (const condition of where) query.append('where', condition);
  return query.size === 0 ? '' : `?${query.toString()}`;
}
