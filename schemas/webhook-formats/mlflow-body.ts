/** Events of the registry as MLflow's webhooks say them: entity, action, time and the payload of that pair. */
import type { Edited, EventData } from '../events.ts';
import type { WebhookEvent } from '../webhook-formats.ts';

interface Said {
  readonly entity: string;
  readonly action: string;
  readonly data: object;
}

/** undefined: MLflow has no such event. */
export function mlflowBody({ topic, type, data, timeMs }: WebhookEvent): object | undefined {
  if (topic !== 'registry') return undefined;
  const said = sayingOf(type, data);
  if (said === undefined) return undefined;
  const { entity, action } = said;
  return { entity, action, timestamp: new Date(timeMs).toISOString(), data: said.data };
}

function sayingOf(type: string, data: object): Said | undefined {
  switch (type) {
    case 'version-registered': {
      const { model, version, source, runId, tags, description } = data as EventData['registry']['version-registered'];
      const run_id = runId === '' ? null : runId;
      const payload = { name: model, version: String(version), source, run_id, tags, description };
      return { entity: 'model_version', action: 'created', data: payload };
    }
    case 'alias-set': {
      const { model, alias, version } = data as EventData['registry']['alias-set'];
      return {
        entity: 'model_version_alias',
        action: 'created',
        data: { name: model, alias, version: String(version) },
      };
    }
    case 'edited':
      return edited(data as Edited);
    default:
      return undefined;
  }
}

function edited({ model, edit, version, key, value, tags }: Edited): Said | undefined {
  if (edit === 'create')
    return { entity: 'registered_model', action: 'created', data: { name: model, tags, description: value } };
  if (edit === 'remove-alias')
    return { entity: 'model_version_alias', action: 'deleted', data: { name: model, alias: key } };
  if (version === null) return undefined;
  const of = { name: model, version: String(version), key };
  if (edit === 'tag') return { entity: 'model_version_tag', action: 'set', data: { ...of, value } };
  return edit === 'untag' ? { entity: 'model_version_tag', action: 'deleted', data: of } : undefined;
}
