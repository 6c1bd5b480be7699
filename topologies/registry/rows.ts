/** What the registry keeps of a model and of its versions, and the rows that show it. */
import type { Output } from '../../runtime/engine/topology.ts';
import type { ModelVersionRow } from '../../schemas/events.ts';
import type { AliasRule } from './alias-rules.ts';

/** A version's row without its aliases, which are kept once, per model. */
export type VersionFacts = Omit<ModelVersionRow, 'aliases'> & { readonly deleted?: boolean };

export interface ModelState {
  /** Highest number that was given. */
  readonly latest: number;
  /** Alias to version. */
  readonly aliases: Readonly<Record<string, number>>;
  /** Deleted with all versions; a new version or a request to create it brings it back. */
  readonly gone?: boolean;
  /** Of its own tags. */
  readonly tagKeys?: readonly string[];
  /** By alias. */
  readonly rules?: Readonly<Record<string, AliasRule>>;
  /** Moves that wait for a second person, by alias. */
  readonly proposals?: Readonly<Record<string, Proposal>>;
}

/** Who wants the alias to name which version. */
export interface Proposal {
  readonly version: number;
  readonly actor: string;
}

/** Rows of one model have keys of their own, and lie together: the table has one partition. */
export function row({ deleted: _, ...facts }: VersionFacts, model: ModelState): Output {
  const aliases = Object.keys(model.aliases)
    .filter((alias) => model.aliases[alias] === facts.version)
    .sort();
  return {
    topic: 'models',
    type: 'model-version-row',
    data: { ...facts, aliases },
    key: `${facts.model}/${facts.version}`,
    partition: 0,
  };
}
