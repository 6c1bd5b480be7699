/** What the registry keeps of a model and of its versions, and the rows that show it. */
import type { Output, StateView } from '../../runtime/engine/topology.ts';
import type { Edited, EditRequested, ModelVersionRow } from '../../schemas/events.ts';
import type { AliasRule } from './alias-rules.ts';
import { versionPrefix } from './keys.ts';

/** A version's row without its aliases, which are kept once, per model. */
export type VersionFacts = Omit<ModelVersionRow, 'aliases'> & { readonly deleted?: boolean };

export interface ModelState {
  /** Highest number that was given. */
  readonly latest: number;
  /** Alias to version. */
  readonly aliases: Readonly<Record<string, number>>;
  /** Deleted with all versions; a new version or a request to create it brings it back. */
  readonly gone?: boolean;
  /** The name that it is about to have. */
  readonly moving?: string;
  /** Requests that came since. */
  readonly waiting?: number;
  /** By alias. */
  readonly rules?: Readonly<Record<string, AliasRule>>;
  /** Moves that wait for a second person, by alias. */
  readonly proposals?: Readonly<Record<string, Proposal>>;
}

/** What is said of the model itself. */
export interface About {
  readonly description: string;
  readonly tags: Readonly<Record<string, string>>;
}

/** Who wants the alias to name which version. */
export interface Proposal {
  readonly version: number;
  readonly actor: string;
  /** Who asked hears under it when the proposal comes to nothing. */
  readonly requestId?: string;
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

export function forgotten(facts: VersionFacts): Output {
  return { ...row(facts, { latest: 0, aliases: {} }), tombstone: true };
}

export function edited(
  request: EditRequested,
  more: Partial<Pick<Edited, 'versions' | 'keys' | 'aliases' | 'staged'>> = {},
): Output {
  return {
    topic: 'registry',
    type: 'edited',
    data: { ...request, versions: [], keys: [], aliases: {}, staged: [], ...more },
    key: request.model,
  };
}

/** What goes with a model: versions, and by name its tags and the aliases that name a version, have a rule or are asked for. */
export function goes(
  { aliases, rules, proposals }: ModelState,
  tags: About['tags'],
  versions: readonly VersionFacts[],
): Pick<Edited, 'versions' | 'keys' | 'aliases' | 'staged'> {
  const keys = [tags, aliases, rules, proposals].flatMap((named) => Object.keys(named ?? {}));
  return {
    versions: versions.map(({ version }) => version),
    keys: [...new Set(keys)],
    aliases,
    staged: stagedOf(versions),
  };
}

/** Those that are in a stage. */
export function stagedOf(versions: readonly VersionFacts[]): readonly number[] {
  return versions.filter(({ stage = 'None' }) => stage !== 'None').map(({ version }) => version);
}

export function versionsOf(state: StateView, model: string): readonly VersionFacts[] {
  return state.range<VersionFacts>(versionPrefix(model)).map(([, facts]) => facts);
}
