import type { ProjectedEvent } from '../../runtime/engine/projection.ts';
import type { Edited } from '../../schemas/events.ts';
import { type Change, keyed } from './row-changes.ts';

/**
 * Models, versions and aliases: facts alone, requests mean nothing here. As in MLflow, tags and aliases do not count as changes of a model or
 * version (`updated_ms`).
 */
export function registryRows({ type, data, timeMs }: ProjectedEvent<'registry'>): readonly Change[] {
  switch (type) {
    case 'version-registered': {
      const { model: name, version, runId, artifact, tags, description, actor, source, runLink, modelId } = data;
      const row = {
        name,
        version,
        created_ms: timeMs,
        updated_ms: timeMs,
        user_id: actor,
        stage: 'None',
        description,
        source: source ?? '',
        run_id: runId ?? '',
        run_link: runLink ?? '',
        model_id: modelId ?? '',
        artifact_hash: artifact.hash,
        artifact_codec: artifact.codec,
      };
      return [
        model(name, timeMs, ['updated_ms']),
        { table: 'model_versions', row },
        ...keyed(tags, (key, value) => ({
          table: 'model_version_tags',
          row: { name, version, key, value },
          set: 'all',
        })),
      ];
    }
    case 'alias-set': {
      const { model: name, alias, version, previous } = data;
      return [
        { table: 'aliases', row: { name, alias, version }, set: 'all' },
        { table: 'alias_proposals', remove: { name, alias } },
        ...(previous === null || previous === version ? [] : [aliasMove(data, alias, previous, true, timeMs)]),
        aliasMove(data, alias, version, false, timeMs),
      ];
    }
    case 'edited':
      if (['protect', 'propose', 'approve', 'reject'].includes(data.edit)) return ruleEdits(data, timeMs);
      return data.version === null || data.edit === 'remove-alias'
        ? modelEdits(data, timeMs)
        : versionEdits(data, timeMs);
    default:
      return [];
  }
}

function modelEdits(data: Edited, timeMs: number): readonly Change[] {
  const { model: name, edit, key, value, tags, versions, keys } = data;
  switch (edit) {
    case 'create':
      return [
        { table: 'registered_models', row: { name, description: value, created_ms: timeMs, updated_ms: timeMs } },
        ...keyed(tags, (tag, text) => ({
          table: 'registered_model_tags',
          row: { name, key: tag, value: text },
          set: 'all',
        })),
      ];
    case 'describe':
      return [model(name, timeMs, ['description', 'updated_ms'], value)];
    case 'tag':
      return [{ table: 'registered_model_tags', row: { name, key, value }, set: 'all' }];
    case 'untag':
      return [{ table: 'registered_model_tags', remove: { name, key } }];
    case 'remove-alias':
      return [
        { table: 'aliases', remove: { name, alias: key } },
        ...versions.map((version) => aliasMove(data, key, version, true, timeMs)),
      ];
    // A renamed model is said again, by its facts, under its new name.
    case 'rename':
    case 'delete':
      return [
        ...keys.flatMap((gone): Change[] => [
          { table: 'alias_rules', remove: { name, alias: gone } },
          { table: 'alias_proposals', remove: { name, alias: gone } },
        ]),
        ...Object.entries(data.aliases).map(([alias, version]) => aliasMove(data, alias, version, true, timeMs)),
        ...data.staged.map((version) => stageMove(data, 'None', version, timeMs)),
        { table: 'registered_models', remove: { name } },
        ...versions.map((version): Change => ({ table: 'model_versions', remove: { name, version } })),
        ...keys.flatMap((gone): Change[] => [
          { table: 'registered_model_tags', remove: { name, key: gone } },
          { table: 'aliases', remove: { name, alias: gone } },
        ]),
      ];
    default:
      return [];
  }
}

function versionEdits(edited: Edited, timeMs: number): readonly Change[] {
  const { model: name, edit, key, value, versions, keys } = edited;
  const version = edited.version ?? 0;
  const touched = model(name, timeMs, ['updated_ms']);
  switch (edit) {
    case 'describe':
      return [changedVersion(name, version, timeMs, ['description', 'updated_ms'], { description: value })];
    case 'tag':
      return [{ table: 'model_version_tags', row: { name, version, key, value }, set: 'all' }];
    case 'untag':
      return [{ table: 'model_version_tags', remove: { name, version, key } }];
    case 'stage':
      return [
        touched,
        changedVersion(name, version, timeMs, ['stage', 'updated_ms'], { stage: value }),
        stageMove(edited, value, version, timeMs),
        ...versions.map((other) => stageMove(edited, 'Archived', other, timeMs)),
        ...versions.map((other) => changedVersion(name, other, timeMs, ['stage', 'updated_ms'], { stage: 'Archived' })),
      ];
    case 'delete':
      return [
        touched,
        { table: 'model_versions', remove: { name, version } },
        ...keys.map((alias): Change => ({ table: 'aliases', remove: { name, alias } })),
        ...keys.map((alias) => aliasMove(edited, alias, version, true, timeMs)),
        ...edited.staged.map((staged) => stageMove(edited, 'None', staged, timeMs)),
      ];
    default:
      return [];
  }
}

function ruleEdits(
  { model: name, edit, key: alias, value, version, actor }: Edited,
  timeMs: number,
): readonly Change[] {
  switch (edit) {
    case 'protect':
      if (value === '') return [{ table: 'alias_rules', remove: { name, alias } }];
      return [{ table: 'alias_rules', row: { name, alias, rule: value, actor }, set: 'all' }];
    case 'propose': {
      const row = { name, alias, version: version ?? 0, actor, at_ms: timeMs };
      return [{ table: 'alias_proposals', row, set: 'all' }];
    }
    default:
      return [{ table: 'alias_proposals', remove: { name, alias } }];
  }
}

interface By {
  readonly model: string;
  readonly requestId: string;
  readonly actor: string;
}

function aliasMove(by: By, alias: string, version: number, removed: boolean, timeMs: number): Change {
  return move(by, 'alias', alias, version, removed, timeMs);
}

function stageMove(by: By, stage: string, version: number, timeMs: number): Change {
  return move(by, 'stage', stage, version, false, timeMs);
}

function move(
  { model: name, requestId: request_id, actor }: By,
  kind: string,
  label: string,
  version: number,
  removed: boolean,
  at_ms: number,
): Change {
  const row = { name, kind, label, version, removed: removed ? 1 : 0, at_ms, actor, request_id };
  return { table: 'registry_moves', row };
}

function model(name: string, timeMs: number, set: readonly ('description' | 'updated_ms')[], description = ''): Change {
  return { table: 'registered_models', row: { name, description, created_ms: timeMs, updated_ms: timeMs }, set };
}

function changedVersion(
  name: string,
  version: number,
  timeMs: number,
  set: readonly ('description' | 'stage' | 'updated_ms')[],
  to: { readonly description?: string; readonly stage?: string } = {},
): Change {
  const row = {
    name,
    version,
    created_ms: timeMs,
    updated_ms: timeMs,
    user_id: '',
    stage: to.stage ?? '',
    description: to.description ?? '',
    source: '',
    run_id: '',
    run_link: '',
    model_id: '',
    artifact_hash: '',
    artifact_codec: '',
  };
  return { table: 'model_versions', row, set };
}
