import { createHash } from 'node:crypto';

export interface Link {
  /** `prediction`, `route`, `deployment`, `model-version`, `artifact`, `task`, `run`, `bundle`, `trigger`, `operation`, `feedback`, `reward`, `drift`, `outliers`, `experiment`, `alert`, `audit-entry`, … */
  readonly kind: string;
  readonly id: string;
  /** What a person reads. */
  readonly text: string;
  /** Where the fact lies: `<topic>/<partition>@<offset>`; absent for blobs. */
  readonly at?: string;
  /** sha256 of the record or blob. */
  readonly hash?: string;
  readonly verified: boolean;
  /** Why not, when not verified. */
  readonly problem?: string;
  /** How the link was checked. */
  readonly check: string;
  /** Index, in the same list, of the link that it hangs from; null: what was asked about. */
  readonly under: number | null;
}

export interface CausalChain {
  readonly id: string;
  /** What the id names. */
  readonly kind: string;
  readonly verified: boolean;
  /** From what was asked about, the first link, back to its first causes. */
  readonly causes: readonly Link[];
  /** What came of it; of many the newest, and how many more there are. */
  readonly effects: readonly Link[];
}

export interface Place {
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** A list of links that grows while the log is walked. */
export class Links {
  readonly all: Link[] = [];

  /** Answers the index, to hang others from. */
  add(link: Omit<Link, 'under' | 'verified'>, under: number | null): number {
    return this.all.push({ ...link, verified: link.problem === undefined, under }) - 1;
  }

  missing(kind: string, id: string, under: number | null): number {
    const problem = `${kind} ${id} is not known`;
    return this.add({ kind, id, text: 'not found', check: 'looked up', problem }, under);
  }
}

/** A problem only where there is one. */
export function problemOf(problem: string | undefined): { problem?: string } {
  return problem === undefined ? {} : { problem };
}

export function hashOf(value: Uint8Array | null): string {
  return createHash('sha256')
    .update(value ?? '')
    .digest('hex');
}

export function placeText({ topic, partition, offset }: Place): string {
  return `${topic}/${partition}@${offset}`;
}
