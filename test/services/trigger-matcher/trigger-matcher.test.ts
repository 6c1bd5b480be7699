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
  .step('greet', () => ({})) as unknown as FlowCode;

let test: TestRuntime;
let open: Running[];
let handled: TriggerHandled[];
let runs: RunRequested[];

beforeEach(async () => {
  test = await createTestRuntime();
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
    expect(runs).toEqual([]);
  });

  it('makes one run when it comes twice under one id, and another for another source', async () => {
    const headers = { ce_type: 'party', ce_id: 'same', ce_source: 'a', ce_specversion: '1.0' };
    const offsets = [
      await write('{}', headers),
      await write('{}', headers),
      await write('{}', { ...headers, ce_source: 'b' }),
    ];
    for (const offset of offsets) expect((await outcome(offset)).outcome).toBe('matched');
    await eventually('both runs were requested', () => runs.length >= 2);
    await write('{"name":"nobody-waits"}');
    expect(new Set(runs.map(({ runId }) => runId)).size).toBe(2);
  });

  it('is refused when it is garbage, and the next one of the partition is handled', async () => {
    expect((await outcome(await write('{"broken'))).outcome).toMatch(
      /^refused: the value is neither framed Avro nor JSON/,
    );
    expect((await outcome(await write('[1]'))).outcome).toMatch(/^refused: .*must be a JSON object/);
    expect((await outcome(await write('{"name":"party"}'))).outcome).toBe('matched');
  });
});
