import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { flow } from '../../../sdk/index.ts';
import { Flows, only, outcomes, runIds } from './fixture.ts';

let flows: Flows;
beforeEach(async () => {
  flows = await Flows.open();
});

const step = () => ({});

describe('an event for a trigger of its own', () => {
  it('starts a run with what it brings, and says so', () => {
    flows.deploy(
      flow('train')
        .parameter('day', { type: 'string' })
        .on('arrived', { parameters: { day: 'at.day' } })
        .step('a', step),
    );
    const said = flows.event('train', 'arrived', 'e1', { at: { day: 'monday' } });
    const [runId] = runIds(said);
    expect(JSON.parse(String(only(said, 'run-requested')[0]?.['parameters']))).toEqual({ day: 'monday' });
    expect(only(said, 'run-requested')[0]).toMatchObject({ cause: { kind: 'trigger', id: 'e1' }, actor: 'warehouse' });
    expect(only(said, 'event-judged')).toMatchObject([
      { eventId: 'e1', outcome: 'started', runId, trigger: 'arrived' },
    ]);
    expect(flows.event('train', 'arrived', 'e1', { at: { day: 'monday' } })).toEqual([]);
  });

  it('is refused when its parameters do not fit, when the trigger is gone, and when the flow is removed', () => {
    const chain = (event: string) =>
      flow('train').parameter('n', { type: 'integer' }).on(event, { name: 't' }).step('a', step);
    flows.deploy(chain('arrived'));
    expect(only(flows.event('train', 'arrived', 'e1', { n: 'many' }), 'event-judged')).toMatchObject([
      { outcome: 'refused', reason: 'parameter \'n\' must be an integer, got "many"' },
    ]);
    const early = flows.said.length;
    const late = {
      flow: 'train',
      version: 1,
      eventId: 'e2',
      requestId: 'e2',
      name: 'arrived',
      kind: 'event',
      source: null,
    };
    const match = { trigger: 't', digest: 'of another definition', key: '', members: [{ index: 0, parameters: '{}' }] };
    flows.deploy(chain('other'));
    flows.pipe('event-arrived', { ...late, matches: [match], chain: [], actor: 'x' });
    flows.control('train', 'remove');
    flows.pipe('event-arrived', { ...late, requestId: 'e3', eventId: 'e3', matches: [match], chain: [], actor: 'x' });
    expect(only(flows.said.slice(early), 'event-judged')).toMatchObject([
      { outcome: 'refused', reason: "version 2 of the flow has no such trigger 't' any more" },
      { outcome: 'refused', reason: 'the flow was removed' },
    ]);
  });
});

describe('a trigger for all of several events', () => {
  const chain = flow('train')
    .parameter('rows', { type: 'integer' })
    .parameter('labels', { type: 'integer' })
    .on({
      name: 'both',
      all: [
        { event: 'rows', parameters: { rows: 'n' } },
        { event: 'labels', parameters: { labels: 'n' } },
      ],
      within: '1h',
      key: 'day',
    })
    .step('a', step);

  it('starts one run when each has come with the same key, whatever their order, and joins what they bring', () => {
    flows.deploy(chain);
    expect(only(flows.event('train', 'labels', 'l1', { day: 1, n: 7 }), 'event-judged')).toMatchObject([
      { outcome: 'waiting', missing: ['rows'], untilMs: flows.driver.nowMs + 3_600_000 },
    ]);
    flows.event('train', 'rows', 'r2', { day: 2, n: 1 });
    const said = flows.event('train', 'rows', 'r1', { day: 1, n: 100 });
    expect(JSON.parse(String(only(said, 'run-requested')[0]?.['parameters']))).toEqual({ rows: 100, labels: 7 });
    expect(outcomes(flows.said)).toEqual({ l1: 'joined', r1: 'joined', r2: 'waiting' });
    expect(only(said, 'event-judged')).toMatchObject([{ with: ['l1'] }, { with: ['r1'] }]);
  });

  it('uses each event once, the oldest first, and lets what is left expire by name', () => {
    flows.deploy(chain);
    for (const n of [1, 2, 3]) flows.event('train', 'rows', `r${n}`, { day: 1, n });
    const joined = flows.event('train', 'labels', 'l1', { day: 1, n: 9 });
    expect(JSON.parse(String(only(joined, 'run-requested')[0]?.['parameters']))).toEqual({ rows: 1, labels: 9 });
    expect(flows.advance(3_599_999)).toEqual([]);
    const expired = flows.advance(1);
    expect(only(expired, 'event-judged')).toMatchObject([
      { eventId: 'r2', outcome: 'expired', reason: 'labels did not come within 1h', missing: ['labels'] },
      { eventId: 'r3', outcome: 'expired' },
    ]);
    // requests are remembered for a week
    flows.advance(8 * 86_400_000);
    expect(flows.driver.timerCount()).toBe(0);
    for (const kind of ['held/', 'request/', 'remembered/']) expect(flows.driver.stateKeys(kind)).toEqual([]);
  });

  it('joins no event that is older than the window, to the millisecond', () => {
    flows.deploy(chain);
    flows.event('train', 'rows', 'r1', { day: 1, n: 1 });
    flows.advance(1_800_000);
    flows.event('train', 'rows', 'r2', { day: 1, n: 2 });
    flows.advance(1_800_000);
    expect(outcomes(flows.event('train', 'labels', 'l1', { day: 1, n: 3 }))).toEqual({ r2: 'joined', l1: 'joined' });
    expect(outcomes(flows.said)).toMatchObject({ r1: 'expired' });
  });

  it('keeps what waits over a new version that leaves the trigger as it is, and refuses it when it does not', () => {
    flows.deploy(chain);
    flows.event('train', 'rows', 'r1', { day: 1, n: 1 });
    flows.deploy(chain);
    expect(outcomes(flows.event('train', 'labels', 'l1', { day: 1, n: 3 }))).toEqual({ r1: 'joined', l1: 'joined' });
    flows.event('train', 'rows', 'r2', { day: 1, n: 1 });
    flows.deploy(
      flow('train')
        .on({ name: 'both', all: [{ event: 'rows' }, { event: 'x' }], key: 'day' })
        .step('a', step),
    );
    const said = flows.event('train', 'x', 'x1', { day: 1 });
    expect(outcomes(said)).toEqual({ r2: 'refused', x1: 'waiting' });
  });

  it('holds a bounded number of each, and names the one that gives way', () => {
    flows.deploy(chain);
    for (let n = 0; n <= 100; n++) flows.event('train', 'rows', `r${n}`, { day: 1, n });
    expect(outcomes(flows.said)).toMatchObject({ r0: 'superseded', r1: 'waiting', r100: 'waiting' });
  });
});

describe('a debounced trigger', () => {
  const chain = flow('train')
    .parameter('n', { type: 'integer' })
    .on('changed', { debounce: { quiet: '10s', most: '25s' }, key: 'table' })
    .step('a', step);

  it('starts once it is quiet, with the newest event, and names those that gave way', () => {
    flows.deploy(chain);
    flows.event('train', 'changed', 'c1', { table: 'a', n: 1 });
    flows.advance(9_999);
    flows.event('train', 'changed', 'c2', { table: 'a', n: 2 });
    flows.event('train', 'changed', 'other', { table: 'b', n: 3 });
    expect(runIds(flows.advance(9_999))).toEqual([]);
    const said = flows.advance(1);
    expect(only(said, 'run-requested').map(({ parameters }) => JSON.parse(String(parameters)) as object)).toEqual([
      { n: 2 },
      { n: 3 },
    ]);
    expect(outcomes(flows.said)).toEqual({ c1: 'superseded', c2: 'started', other: 'started' });
  });

  it('does not wait for ever when it is never quiet', () => {
    flows.deploy(chain);
    for (let n = 1; n <= 5; n++) {
      flows.event('train', 'changed', `c${n}`, { table: 'a', n });
      flows.advance(6_000);
    }
    const started = only(flows.said, 'event-judged').filter(({ outcome }) => outcome === 'started');
    expect(started).toMatchObject([{ eventId: 'c5' }]);
  });
});

describe('any interleaving of events and time', () => {
  it('gives each event exactly one final outcome, and the same after a crash at any place', async () => {
    const chain = flow('train')
      .on({ all: [{ event: 'a' }, { event: 'b' }, { event: 'c' }], within: '10s', key: 'k' })
      .on({ any: [{ event: 'a' }, { event: 'd' }], debounce: '3s', key: 'k' })
      .on('d')
      .step('s', step);
    const move = fc.oneof(
      fc.record({ name: fc.constantFrom('a', 'b', 'c', 'd'), k: fc.integer({ min: 1, max: 2 }) }),
      fc.record({ waitMs: fc.integer({ min: 1, max: 6_000 }) }),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(move, { maxLength: 40 }), fc.nat(40), async (moves, crashAt) => {
        let own = await Flows.open();
        own.deploy(chain);
        const said = [];
        for (const [index, one] of moves.entries()) {
          if (index === crashAt) {
            const before = own;
            own = await own.reopen();
            own.said.push(...before.said);
          }
          said.push(
            ...('waitMs' in one
              ? own.advance(one.waitMs)
              : own.event('train', one.name, `${one.name}${index}`, { k: one.k })),
          );
        }
        said.push(...own.advance(20_000));
        const final = new Map<string, string[]>();
        for (const { eventId, trigger, outcome } of only(said, 'event-judged')) {
          const key = `${String(eventId)} ${String(trigger)}`;
          final.set(key, [...(final.get(key) ?? []), String(outcome)]);
        }
        const triggersOf: Record<string, number> = { a: 2, b: 1, c: 1, d: 2 };
        const expected = moves.reduce((sum, one) => sum + ('name' in one ? (triggersOf[one.name] ?? 0) : 0), 0);
        expect(final.size).toBe(expected);
        for (const [key, all] of final)
          expect(
            all.filter((one) => one !== 'waiting'),
            key,
          ).toHaveLength(1);
        own.advance(8 * 86_400_000);
        expect(own.driver.timerCount()).toBe(0);
        expect(own.driver.stateKeys('request/')).toEqual([]);
        expect(own.driver.stateKeys('held/')).toEqual([]);
      }),
      { numRuns: 60 },
    );
  });
});
