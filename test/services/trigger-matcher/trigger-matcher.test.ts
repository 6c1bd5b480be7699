import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { FollowedEvent, Running } from '../../../runtime/engine/runtime.ts';
import type { FlowCode } from '../../../runtime/ports/flow-code.ts';
import { createTestRuntime, eventually, type TestRuntime } from '../../../runtime/testing/index.ts';
import type { RunRequested, TriggerHandled } from '../../../schemas/events.ts';
import { flow } from '../../../sdk/index.ts';
import { createTriggerMatcher } from '../../../services/trigger-matcher/trigger-matcher.ts';
import { flowStarts } from '../../../topologies/flow-starts.ts';

const chain = flow('greeting')
  .parameter('who', { type: 'string', default: 'world' })
  .on('person-arrived', { parameters: { who: 'person.name' } })
  .on('party')
  .onAlert('iris', { detector: 'joint', parameters: { who: 'alertId' } })
  .step('greet', () => ({})) as unknown as FlowCode;

let test: TestRuntime;
let open: Running[];
let handled: TriggerHandled[];
let runs: RunRequested[];

beforeEach(async () => {
  // one partition each: what comes behind something is seen behind it
  test = await createTestRuntime({ partitions: { runs: 1, alerts: 1 } });
  handled = [];
  runs = [];
  const { runtime } = test;
  open = [
    await runtime.follow('operations', {
      from: 'earliest',
      onEvent: (event: FollowedEvent<'operations'>) => {
        if (event.type === 'trigger-handled') handled.push(event.data);
      },
    }),
    await runtime.follow('runs', {
      from: 'earliest',
      onEvent: (event: FollowedEvent<'runs'>) => {
        if (event.type === 'run-requested') runs.push(event.data);
      },
    }),
    await runtime.runTopology(flowStarts),
    await runtime.runService(await createTriggerMatcher(runtime)),
  ];
  const data = {
    flow: 'greeting',
    requestId: 'deploy-1',
    bundleHash: 'b'.repeat(64),
    graph: JSON.stringify(chain.graph),
    triggers: JSON.stringify(chain.triggers),
    policy: '{}',
    authorize: '',
    newToken: false,
    actor: 'ada',
  };
  await runtime.publish([{ topic: 'starts', type: 'flow-deploy-requested', key: 'greeting', id: 'deploy-1', data }]);
  const table = await runtime.openTable('flows');
  await eventually('the flow is deployed', async () => await table.find('greeting'));
  await table.close();
});

afterEach(async () => {
  for (const part of open.reverse()) await part.close();
  await test.close();
});

/** As an outsider writes it. */
async function write(value: string, headers: Record<string, string> = {}, key: string | null = null): Promise<number> {
  const { runtime } = test;
  const [offset = -1] = await runtime.parts.log.append([
    { topic: runtime.topic('triggers'), partition: 1, key, value: Buffer.from(value), headers },
  ]);
  return offset;
}

const outcome = (offset: number) =>
  eventually(`offset ${offset} is handled`, () => handled.find(({ source }) => source?.offset === offset));

/** Offset of a good trigger, whose run was requested: a run of what came before it would be there. */
async function startBehind(): Promise<number> {
  const offset = await write('{"name":"party"}');
  await eventually('the run behind was requested', () => started().includes(offset));
  return offset;
}

/** Offsets of the triggers that began the runs. */
const started = () => runs.map(({ cause }) => cause.position?.offset);

describe('a trigger', () => {
  it('starts the flow that waits for it, with parameters from its payload', async () => {
    const offset = await write('{"name":"person-arrived","person":{"name":"Ada"}}');
    expect(await outcome(offset)).toMatchObject({ outcome: 'matched', flows: ['greeting'], name: 'person-arrived' });
    const run = await eventually('a run was requested', () => runs[0]);
    expect(JSON.parse(run.parameters)).toEqual({ who: 'Ada' });
    expect(run).toMatchObject({
      flow: 'greeting',
      version: 1,
      cause: { kind: 'trigger', position: { topic: 'triggers', partition: 1, offset } },
    });
    expect(handled[0]?.triggerId).toBe(run.cause.id);
  });

  it('uses payload properties named like parameters where there is no map', async () => {
    await write('{"who":"Grace","other":1}', { ce_type: 'party', ce_id: 'p1', ce_source: 's', ce_specversion: '1.0' });
    expect(JSON.parse((await eventually('a run was requested', () => runs[0])).parameters)).toEqual({ who: 'Grace' });
  });

  it('is unmatched, with the reason, when a mapped property is missing or nobody waits', async () => {
    expect(await outcome(await write('{"name":"person-arrived"}'))).toMatchObject({
      outcome: "unmatched: greeting: the event has no 'person.name' in its payload for parameter 'who'",
      flows: [],
    });
    expect(await outcome(await write('{"name":"nobody-waits"}'))).toMatchObject({ outcome: 'unmatched' });
    const behind = await startBehind();
    expect(started()).toEqual([behind]);
  });

  it('makes one run when it comes twice under one id, and another for another source', async () => {
    const headers = { ce_type: 'party', ce_id: 'same', ce_source: 'a', ce_specversion: '1.0' };
    const offsets = [
      await write('{}', headers),
      await write('{}', headers),
      await write('{}', { ...headers, ce_source: 'b' }),
    ];
    for (const offset of offsets) expect((await outcome(offset)).outcome).toBe('matched');
    await startBehind();
    expect(new Set(runs.map(({ runId }) => runId)).size).toBe(3);
  });

  it('is refused when it is garbage, and the next one of the partition is handled', async () => {
    expect((await outcome(await write('{"broken'))).outcome).toMatch(
      /^refused: the value is neither framed Avro nor JSON/,
    );
    expect((await outcome(await write('[1]'))).outcome).toMatch(/^refused: .*must be a JSON object/);
    expect((await outcome(await write('{"name":"party"}'))).outcome).toBe('matched');
  });
});

describe('an alert', () => {
  const raise = async (deployment: string, alertId: string, subject: string): Promise<void> => {
    const message = 'petal length moved';
    const about = { deployment, deploymentVersion: 3, kind: 'drift', subject, message, evidenceId: 'w-1', alertId };
    const id = `${alertId}-${deployment}`;
    await test.runtime.publish([{ topic: 'alerts', type: 'alert-raised', key: deployment, id, data: about }]);
  };
  const told = (alertId: string) =>
    eventually(`alert ${alertId} is handled`, () => handled.find(({ triggerId }) => triggerId === alertId));

  it('of a deployment starts the flow that waits for it, and the run names the alert', async () => {
    await raise('iris', 'alert-1', 'joint');
    expect(await told('alert-1')).toMatchObject({ outcome: 'matched', flows: ['greeting'], name: 'alert:iris' });
    const run = await eventually('a run was requested', () => runs[0]);
    expect(run).toMatchObject({ flow: 'greeting', cause: { kind: 'trigger', id: 'alert-1' } });
    expect(run.cause.position).toMatchObject({ topic: 'alerts' });
    expect(JSON.parse(run.parameters)).toEqual({ who: 'alert-1' });
  });

  it('of another detector is told with the reason, one of another deployment is nothing to anybody', async () => {
    await raise('wine', 'alert-2', 'joint');
    await raise('iris', 'alert-3', 'answers');
    expect((await told('alert-3')).outcome).toMatch(/^unmatched: greeting: data.subject is "answers", must .*"joint"/);
    await raise('iris', 'alert-4', 'joint');
    await eventually('the run behind was requested', () => runs.some(({ cause }) => cause.id === 'alert-4'));
    expect(handled.map(({ triggerId }) => triggerId)).toEqual(['alert-3', 'alert-4']);
    expect(runs.map(({ cause }) => cause.id)).toEqual(['alert-4']);
  });

  it('cannot be claimed by an outsider', async () => {
    const offset = await write('{"name":"alert:iris","alertId":"forged","subject":"joint"}');
    expect(await outcome(offset)).toMatchObject({ outcome: 'unmatched', flows: [] });
    const behind = await startBehind();
    expect(started()).toEqual([behind]);
  });
});
