/** All that is known of a model version, for whoever must judge it: what it is, how it was made, how good it was then, and how it does now. */
import { hasCode, MillraceError } from '../../runtime/ports/errors.ts';
import type { RegistryMove } from '../../schemas/api/registry.ts';
import type { Client, ShownModel } from './client.ts';
import { type RunUses, usesOfVersions } from './run-uses.ts';
import type { TrackedRun } from './tracking.ts';

export interface ModelCard {
  readonly model: string;
  readonly version: number;
  readonly aliases: readonly string[];
  readonly stage: string;
  /** Milliseconds since the epoch. */
  readonly registeredAt: number;
  readonly actor: string;
  /** What people say of the version, Markdown. */
  readonly description: string;
  /** The same of the model. */
  readonly about: string;
  readonly tags: Readonly<Record<string, string>>;
  readonly artifact: { readonly hash: string; readonly sizeBytes: number; readonly codec: string };
  readonly source: string;
  /** As its MLmodel file says it; null: it says none. */
  readonly signature: { readonly inputs: readonly Column[]; readonly outputs: readonly Column[] } | null;
  readonly metrics: Readonly<Record<string, number>>;
  /** Versions that it is compared with: the one before it, and those that aliases name. */
  readonly others: readonly {
    readonly version: number;
    readonly aliases: readonly string[];
    readonly metrics: Readonly<Record<string, number>>;
  }[];
  /** The run that made it; null: none is known. */
  readonly run: TrackedRun | null;
  /** From the version back to its first causes, each checked by hash. */
  readonly lineage: readonly {
    readonly kind: string;
    readonly id: string;
    readonly text: string;
    readonly verified: boolean;
  }[];
  /** Deployments that use it now. */
  readonly deployments: RunUses['deployments'];
  /** Aliases and stages that it got and lost, newest first. */
  readonly moves: readonly RegistryMove[];
}

export interface Column {
  /** '' where the file names none. */
  readonly name: string;
  /** Such as `double` or `tensor(float32, [-1, 11])`. */
  readonly type: string;
  readonly required: boolean;
}

/** @param which a version, or an alias; NOT_FOUND when the model has no such */
export async function modelCard(client: Client, model: string, which: number | string): Promise<ModelCard> {
  const shown = await client.models.show(model);
  const version = typeof which === 'number' ? which : shown.aliases[which];
  const facts = shown.versions.find((each) => each.version === version);
  if (facts === undefined) {
    const known = [...shown.versions.map((each) => String(each.version)), ...Object.keys(shown.aliases)].join(', ');
    throw new MillraceError('NOT_FOUND', `model '${model}' has no version or alias '${which}'; it has ${known}`);
  }
  const { [signatureTag]: signature, ...tags } = facts.tags;
  const [about, registered, run, chain, deployments, moves] = await Promise.all([
    client.registry.model(model),
    client.registry.versions(`name = '${model}' AND version_number = ${facts.version}`),
    facts.runId === null ? null : runOf(client, facts.runId),
    client.explain(`${model}/${facts.version}`) as Promise<{ readonly causes: ModelCard['lineage'] }>,
    usesOfVersions(client, [{ model, version: facts.version }]),
    client.registry.moves(model),
  ]);
  return {
    model,
    version: facts.version,
    aliases: facts.aliases,
    stage: registered[0]?.stage ?? 'None',
    registeredAt: facts.registeredAt,
    actor: facts.actor,
    description: registered[0]?.description ?? facts.description,
    about: about.description,
    tags,
    artifact: { hash: facts.artifact.hash, sizeBytes: facts.artifact.sizeBytes, codec: facts.artifact.codec },
    source: facts.source ?? '',
    signature: signature === undefined ? null : signatureOf(signature),
    metrics: facts.metrics,
    others: othersOf(shown, facts.version),
    run,
    lineage: chain.causes.map(({ kind, id, text, verified }) => ({ kind, id, text, verified })),
    deployments,
    moves: moves.filter((move) => move.version === facts.version),
  };
}

/** Beside the tags of people: what the MLmodel file says. */
const signatureTag = 'millrace.signature';
const othersMax = 4;

function othersOf({ versions }: ShownModel, version: number): ModelCard['others'] {
  const before = versions.filter((each) => each.version < version)[0]?.version;
  return versions
    .filter((each) => each.version !== version && (each.version === before || each.aliases.length > 0))
    .slice(0, othersMax)
    .map((each) => ({ version: each.version, aliases: each.aliases, metrics: each.metrics }));
}

async function runOf(client: Client, runId: string): Promise<TrackedRun | null> {
  try {
    return await client.tracking.run(runId);
  } catch (error) {
    if (hasCode(error, 'NOT_FOUND')) return null;
    throw error;
  }
}

/** MLflow writes columns and tensors as a JSON text each. A text that is none says nothing. */
function signatureOf(text: string): ModelCard['signature'] {
  try {
    const said: unknown = JSON.parse(text);
    return Array.isArray(said) ? { inputs: columnsOf(said[0]), outputs: columnsOf(said[1]) } : null;
  } catch {
    return null;
  }
}

function columnsOf(said: unknown): readonly Column[] {
  try {
    const columns: unknown = typeof said === 'string' ? JSON.parse(said) : said;
    return Array.isArray(columns)
      ? columns.map((column) => columnOf((column ?? {}) as Readonly<Record<string, unknown>>))
      : [];
  } catch {
    return [];
  }
}

function columnOf({ name, type, required, 'tensor-spec': spec }: Readonly<Record<string, unknown>>): Column {
  const { dtype, shape } = (spec ?? {}) as { readonly dtype?: unknown; readonly shape?: unknown };
  const kind = spec === undefined ? textOf(type) : `tensor(${textOf(dtype)}, ${JSON.stringify(shape)})`;
  return { name: typeof name === 'string' ? name : '', type: kind, required: required !== false };
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value) ?? '');
}
