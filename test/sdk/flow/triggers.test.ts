import { describe, expect, it } from 'vitest';
import type { FlowCode } from '../../../runtime/ports/flow-code.ts';
import { flow } from '../../../sdk/index.ts';

const step = () => ({});
const built = (chain: unknown) => {
  const { triggers, policy, graph } = chain as FlowCode;
  return { triggers, policy, graph };
};

describe('what starts a flow', () => {
  it('is written in short and travels as data with every default', () => {
    const chain = flow('train', { project: 'fraud', concurrency: 2, tags: ['nightly'] })
      .parameter('day', { type: 'string' })
      .on('arrived', {
        filter: { gte: { 'data.rows': 10 } },
        parameters: { day: { attribute: 'subject' } },
        debounce: '30s',
      })
      .on({ all: [{ event: 'rows' }, { finish: 'clean', on: 'any' }], within: '1h30m', key: 'day' })
      .onFinish('prepare', { on: 'failure' })
      .schedule({ cron: '30 2 * * *', timezone: 'Europe/Berlin', slot: 'day', catchUp: 'all', overlap: 'queue' })
      .schedule({ every: '15m', name: 'often' })
      .schedule({ weekly: true, name: 'sundays' })
      .step('a', step);
    expect(built(chain).policy).toEqual({ project: 'fraud', concurrency: { max: 2 }, tags: ['nightly'] });
    expect(built(chain).triggers).toEqual([
      {
        event: 'arrived',
        filter: { gte: { 'data.rows': 10 } },
        parameters: { day: { attribute: 'subject' } },
        debounce: { quietMs: 30_000, mostMs: 300_000 },
      },
      { all: [{ event: 'rows' }, { finish: 'clean', on: 'any' }], withinMs: 5_400_000, key: 'day' },
      { finish: 'prepare', on: 'failure' },
      {
        schedule: { cron: '30 2 * * *', timezone: 'Europe/Berlin' },
        slotParameter: 'day',
        catchUp: 'all',
        overlap: 'queue',
      },
      { name: 'often', schedule: { everyMs: 900_000 }, catchUp: 'last', overlap: 'skip' },
      { name: 'sundays', schedule: { cron: '0 0 * * 0', timezone: 'UTC' }, catchUp: 'last', overlap: 'skip' },
    ]);
  });

  it.each([
    [
      () => flow('f').schedule({ cron: '* * * * *', daily: true }),
      /exactly one of cron, every, hourly, daily, weekly; got cron, daily/,
    ],
    [
      () => flow('f').schedule({ every: 'soon' }),
      /'every' must be a duration such as '30s', '15m' or '1d', got "soon"/,
    ],
    [() => flow('f').schedule({ every: '1h', timezone: 'UTC' }), /has no time zone/],
    [() => flow('f').on('e').on('e'), /two triggers are called 'e': give one of them a name of its own/],
    [() => flow('f').on({ all: [{ event: 'e' }], debounce: '1s' } as never), undefined],
    [() => flow('f').on({ all: [] }), /triggers\[0\]\.all must be a list of events/],
    [() => flow('f').on('e', { filter: { sql: 'x' } as never }), /trigger 'e': there is no filter 'sql'/],
    [() => flow('f').on('e', { parameters: { nope: 'x' } }), /sets parameter 'nope', which the flow does not have/],
    [() => flow('f').schedule({ daily: true, slot: 'nope' as never }), /schedule 'schedule' sets parameter 'nope'/],
    [
      () => flow('f').on({ all: [{ event: 'a' }, { event: 'b' }], within: '60d' }),
      /'within' must be a duration of 1ms to 30d/,
    ],
    [() => flow('f', { project: 'Big Project' }), /project must be 1 to 40 characters of a-z/],
    [() => flow('f', { concurrency: 0 }), /concurrency\.max must be an integer of 1 to/],
  ])('that is wrong is told when the flow is built (%#)', (make, message) => {
    const build = () => built(make().step('a', step)).graph;
    if (message === undefined) expect(build).not.toThrow();
    else expect(build).toThrow(message);
  });

  it('that two members of one group set twice is told', () => {
    const chain = flow('f')
      .parameter('n', { type: 'integer' })
      .on({
        all: [
          { event: 'a', parameters: { n: 'x' } },
          { event: 'b', parameters: { n: 'y' } },
        ],
      })
      .step('s', step);
    expect(() => built(chain).graph).toThrow(/trigger 'a\+b': two events set parameter 'n': map it from one of them/);
  });
});
