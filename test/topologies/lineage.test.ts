import { Type } from 'typebox';
import { Value } from 'typebox/value';
import { describe, expect, it } from 'vitest';
import { everyEvent, ToldRuns } from './lineage-fixture.ts';
import { artifact } from './run-progress-fixture.ts';

const names = (datasets: readonly { readonly name: string }[]): string[] => datasets.map(({ name }) => name);

/** What the specification requires of a run event, version 2-0-2; the official client checks each facet in the service lane. */
const Facets = Type.Record(
  Type.String(),
  Type.Object({ _producer: Type.String({ format: 'uri' }), _schemaURL: Type.String({ format: 'uri' }) }),
);
const closed = { additionalProperties: false };
const Dataset = Type.Object(
  { namespace: Type.String(), name: Type.String(), facets: Facets, outputFacets: Type.Optional(Facets) },
  closed,
);
const Event = Type.Object(
  {
    eventType: Type.Union(['START', 'COMPLETE', 'FAIL', 'ABORT'].map((one) => Type.Literal(one))),
    eventTime: Type.String({ format: 'date-time' }),
    producer: Type.String({ format: 'uri' }),
    schemaURL: Type.Literal('https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent'),
    run: Type.Object({ runId: Type.String({ format: 'uuid' }), facets: Facets }, closed),
    job: Type.Object({ namespace: Type.String(), name: Type.String(), facets: Facets }, closed),
    inputs: Type.Array(Dataset),
    outputs: Type.Array(Dataset),
  },
  closed,
);

describe('OpenLineage events', () => {
  it('have the form that the specification requires', async () => {
    expect(Value.Check(Type.String({ format: 'uri' }), 'no uri')).toBe(false);
    const events = await everyEvent();
    expect(new Set(events.map(({ eventType }) => eventType)).size).toBe(4);
    for (const event of events) expect([...Value.Errors(Event, event)]).toEqual([]);
  });

  it('tell a run from its request to its end, and its result', async () => {
    const told = await ToldRuns.open();
    const [start] = told.request({ slotMs: 1_700_000_000_000 });
    expect(start).toMatchObject({
      eventType: 'START',
      run: {
        runId: '01930000-0000-0000-0000-000000000000',
        facets: {
          millrace_run: { runId: told.runId, version: 3, actor: 'ada', cause: 'manual' },
          nominalTime: { nominalStartTime: '2023-11-14T22:13:20.000Z' },
        },
      },
      job: { namespace: 'millrace', name: 'tested' },
    });
    const [end] = told.say('run-completed', { flow: 'tested', tasks: 0, startedAt: 0, artifacts: [artifact('best')] });
    expect(end).toMatchObject({ eventType: 'COMPLETE', run: { runId: start?.run.runId } });
    const version = { datasetVersion: expect.stringMatching(/^sha256:/) };
    expect(end?.outputs).toMatchObject([{ namespace: 'millrace', name: 'tested/best', facets: { version } }]);
  });

  it('tell a task with its parent, what it read and what it wrote, linked by content', async () => {
    const told = await ToldRuns.open();
    const [run] = told.request();
    const rows = artifact('rows');
    const [, loaded] = told.run('load', [rows]);
    const body = JSON.stringify({ model: 'wine', artifact: artifact('wine') });
    const requests = [{ kind: 'register-model', body }];
    const [start, end] = told.run('train.3.fit', [artifact('model')], { inputs: [rows], requests });
    expect(start).toMatchObject({ eventType: 'START', job: { name: 'tested.train.fit' } });
    expect(Date.parse(end?.eventTime ?? '') - Date.parse(start?.eventTime ?? '')).toBe(2_000);
    expect(end).toMatchObject({
      eventType: 'COMPLETE',
      run: {
        runId: start?.run.runId,
        facets: {
          parent: { run: { runId: run?.run.runId }, job: { namespace: 'millrace', name: 'tested' } },
          millrace_task: { runId: told.runId, taskId: 'train.3.fit', attempt: 1, worker: 'worker of i1' },
        },
      },
    });
    expect(names(end?.inputs ?? [])).toEqual(['tested/rows']);
    expect(end?.inputs[0]?.facets['version']).toEqual(loaded?.outputs[0]?.facets['version']);
    expect(names(end?.outputs ?? [])).toEqual(['tested/model', 'models/wine']);
  });

  it('leave out what a zombie or a refused attempt says', async () => {
    const told = await ToldRuns.open();
    told.request();
    told.start('load', 1, 'frozen');
    told.start('load', 2, 'second');
    told.complete('load', [artifact('ghost')], { dispatch: 1, incarnation: 'frozen' });
    told.complete('load', [artifact('ghost')], { dispatch: 2, incarnation: 'frozen' });
    told.complete('load', [artifact('rows')], { dispatch: 2, incarnation: 'second' });
    const [, end] = told.close('load', 'completed', { attempt: 2, dispatch: 2 });
    expect(names(end?.outputs ?? [])).toEqual(['tested/rows']);
    // a start that comes too late says nothing, and leaves nothing once the run is over
    expect(told.start('load', 1, 'frozen')).toEqual([]);
    told.say('run-cancelled', { flow: 'tested', startedAt: 0, actor: 'ada', reason: '' });
    expect(told.stateKeys()).toEqual([]);
    expect(told.start('load', 3, 'frozen')).toEqual([]);
    expect(told.stateKeys()).toEqual([]);
  });

  it('say failures and cancellations with their reasons, and take up a run that is resumed in place', async () => {
    const told = await ToldRuns.open();
    told.request();
    told.start('load');
    const [, failed] = told.close('load', 'failed', { kind: 'user', message: 'no rows' });
    expect(failed).toMatchObject({ eventType: 'FAIL', run: { facets: { errorMessage: { message: 'no rows' } } } });
    const common = { flow: 'tested', startedAt: 0 };
    const [end] = told.say('run-failed', { ...common, taskId: 'load', step: 'load', kind: 'user', message: 'no rows' });
    expect(end?.run.facets['errorMessage']).toMatchObject({ message: 'load: no rows' });
    const [again] = told.request({ resume: { runId: told.runId, from: null } });
    expect(again).toMatchObject({ eventType: 'START', run: { runId: end?.run.runId } });
    expect(told.close('load', 'cloned', { originRunId: told.runId })).toEqual([]);
    const [aborted] = told.say('run-cancelled', { ...common, actor: 'ada', reason: 'not needed' });
    expect(aborted).toMatchObject({ eventType: 'ABORT', run: { facets: { errorMessage: { message: 'not needed' } } } });
  });

  it('tell of a wide foreach the first hundred walks and whatever fails', async () => {
    const told = await ToldRuns.open();
    told.request();
    expect(told.run('rows.99.each', [artifact('squared')])).toHaveLength(2);
    expect(told.run('rows.100.each', [artifact('squared')])).toEqual([]);
    expect(told.run('rows.-pack.0', [])).toEqual([]);
    const failed = told.close('rows.101.each', 'failed', { kind: 'user', message: 'it broke' });
    expect(failed.map(({ eventType }) => eventType)).toEqual(['START', 'FAIL']);
    expect(told.counters()).toMatchObject({ tasksClosed: 4, tasksTold: 2, tasksUntold: 2 });
  });

  it('are jobs of the namespace of their project and branch', async () => {
    const told = await ToldRuns.open();
    const systemTags = ['project:fraud', 'project_branch:prod'];
    const [start] = told.request({ flow: 'fraud.prod.train', systemTags });
    expect(start?.job).toMatchObject({ namespace: 'millrace.fraud.prod', name: 'train' });
  });
});
