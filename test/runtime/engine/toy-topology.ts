import { type Effects, type InputEvent, nothing, type Topology } from '../../../runtime/engine/topology.ts';

interface Count {
  readonly aliases: number;
  readonly lastVersion: number;
}

/** Counts alias requests per model, answers each, and closes a model some time after its last request. */
export const toyTopologyThatCloses = (afterMs: number): Topology<'registry'> => ({
  name: 'toy',
  version: 1,
  input: 'registry',
  outputs: ['registry', 'operations'],
  summary: 'counts alias requests per model',
  reads: (event) => (event.type === 'alias-requested' ? { keys: [event.data.model] } : {}),
  fold(event: InputEvent<'registry'>, state): Effects {
    if (event.type !== 'alias-requested') return nothing;
    const { model, alias, version, requestId, actor } = event.data;
    if (alias === 'throw') throw new Error('this alias always throws');
    const count = state.get<Count>(model) ?? { aliases: 0, lastVersion: 0 };
    return {
      put: [[model, { aliases: count.aliases + 1, lastVersion: version }]],
      setTimers: [{ name: model, dueMs: event.timeMs + afterMs, reads: { keys: [model] }, data: { model } }],
      emit: [
        {
          topic: 'registry',
          type: 'alias-set',
          key: model,
          data: { model, alias, version, previous: count.lastVersion, requestId, actor },
        },
      ],
      count: { aliasesSet: 1 },
    };
  },
  onTimer(timer, state): Effects {
    const { model } = timer.data as { model: string };
    const count = state.get<Count>(model);
    const detail = JSON.stringify({ aliases: count?.aliases ?? 0 });
    const data = {
      operationId: `close-${model}`,
      action: 'close',
      object: model,
      actor: 'toy',
      outcome: 'closed',
      detail,
    };
    return {
      delete: [model],
      emit: [{ topic: 'operations', type: 'operation-recorded', key: model, data }],
      count: { modelsClosed: 1 },
    };
  },
});

export const toyTopology = toyTopologyThatCloses(1_000);

/** The next version says one thing more of each request, so its ordinals run faster: who folded what is seen by the stamps. */
export const nextVersionOf = (older: Topology<'registry'>): Topology<'registry'> => ({
  ...older,
  version: 2,
  fold(event, state): Effects {
    const effects = older.fold(event, state);
    if (event.type !== 'alias-requested') return effects;
    const { model, requestId, actor } = event.data;
    const data = { model, requestId, reason: 'said by version 2', actor };
    const more = { topic: 'registry', type: 'registry-refused', key: model, data } as const;
    return { ...effects, emit: [more, ...(effects.emit ?? [])] };
  },
});

export function aliasRequest(model: string, version: number, alias = 'champion') {
  const data = { model, alias, version, requestId: `${model}-${version}`, actor: 'test' };
  return { topic: 'registry', type: 'alias-requested', key: model, data, id: `request-${model}-${version}` } as const;
}
