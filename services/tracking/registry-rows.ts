import type { ProjectedEvent } from '../../runtime/engine/projection.ts';
import type { Edited } from '../../schemas/events.ts';
import { type Change, keyed } from './row-changes.ts';

/** Models, versions and aliases: facts alone, requests mean nothing here. */
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
      const { model: name, alias, version } = data;
      return [{ table: 'aliases', row: { name, alias, version }, set: 'all' }, model(name, timeMs, ['updated_ms'])];
    }
    case 'edited':
      return data.version === null || data.edit === 'remove-alias'
        ? modelEdits(data, timeMs)
        : versionEdits(data, timeMs);
    default:
      return [];
  }
}

function modelEdits(
  { model: name, edit, key, value, tags, versions, keys }: Edited,
  timeMs: number,
): readonly Change[] {
  const touched = model(name, timeMs, ['updated_ms']);
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
      return [touched, { table: 'registered_model_tags', row: { name, key, value }, set: 'all' }];
    case 'untag':
      return [touched, { table: 'registered_model_tags', remove: { name, key } }];
    case 'remove-alias':
      return [touched, { table: 'aliases', remove: { name, alias: key } }];
    case 'delete':
      return [
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
  const touched = changedVersion(name, version, timeMs, ['updated_ms']);
  switch (edit) {
    case 'describe':
      return [changedVersion(name, version, timeMs, ['description', 'updated_ms'], { description: value })];
    case 'tag':
      return [touched, { table: 'model_version_tags', row: { name, version, key, value }, set: 'all' }];
    case 'untag':
      return [touched, { table: 'model_version_tags', remove: { name, version, key } }];
    case 'stage':
      return [
        changedVersion(name, version, timeMs, ['stage', 'updated_ms'], { stage: value }),
        ...versions.map((other) => changedVersion(name, other, timeMs, ['stage', 'updated_ms'], { stage: 'Archived' })),
      ];
    case 'delete':
      return [
        { table: 'model_versions', remove: { name, version } },
        ...keys.map((alias): Change => ({ table: 'aliases', remove: { name, alias } })),
      ];
    default:
      return [];
  }
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
