/**
 * Projections: what the log says, as tables of a query store. A projection declares its tables and is a pure function from one event
 * to changes of rows; the engine does the rest. See `runtime/ports/query-store.ts` for what a change may do.
 */
import type { EventTopic } from '../../schemas/events.ts';
import type { QuerySchema, RowChange, TableSpecs } from '../ports/query-store.ts';
import type { FollowedEvent, PublishedAt, Running } from './runtime.ts';

export interface Projection<Tables extends TableSpecs = TableSpecs, Topics extends EventTopic = EventTopic>
  extends QuerySchema<Tables> {
  readonly summary: string;
  /** Catalogue names. */
  readonly inputs: readonly Topics[];
  /** Pure: the same event, the same changes. Throwing costs the event its rows and is said in the log of the process. */
  rowsOf(event: ProjectedEvent<Topics>): readonly RowChange<Tables>[];
}

/** An event with the catalogue name of its topic. */
export type ProjectedEvent<Topics extends EventTopic> = {
  [T in Topics]: FollowedEvent<T> & { readonly catalogueTopic: T };
}[Topics];

/** Keeps the types of the declaration. */
export function defineProjection<const Tables extends TableSpecs, const Topics extends EventTopic>(
  projection: Projection<Tables, Topics>,
): Projection<Tables, Topics> {
  return projection;
}

export interface RunningProjection extends Running {
  /** Resolves when the tables have everything that was published at these places. TIMEOUT at the deadline, milliseconds. */
  passed(places: readonly PublishedAt[], timeoutMs: number): Promise<void>;
  /** Resolves when the tables have everything that is on these topics now (catalogue names; default all). TIMEOUT likewise. */
  caughtUp(timeoutMs: number, topics?: readonly string[]): Promise<void>;
}
