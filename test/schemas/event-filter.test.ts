import { describe, expect, it } from 'vitest';
import { type EventFilter, filterMiss, filterProblems } from '../../schemas/event-filter.ts';

const event = {
  attributes: { id: 'e1', source: '/warehouse/eu', type: 'arrived', subject: 'orders', time: '2026-03-01T00:00:00Z' },
  payload: { rows: 7, region: 'eu', nested: { ok: true }, none: null },
};

describe('a filter', () => {
  it.each<[EventFilter, string | undefined]>([
    [{ exact: { source: '/warehouse/eu', 'data.region': 'eu' } }, undefined],
    [{ exact: { 'data.rows': '7' } }, 'data.rows is 7, must be "7"'],
    [{ exact: { 'data.none': null } }, undefined],
    [{ prefix: { source: '/warehouse/' } }, undefined],
    [{ suffix: { source: '/us' } }, 'source is "/warehouse/eu", must end with "/us"'],
    [{ in: { 'data.region': ['us', 'eu'] } }, undefined],
    [{ exists: { 'data.nested.ok': true, 'data.nested.more': false } }, undefined],
    [{ exists: { partition: true } }, 'partition is absent, must exist: true'],
    [{ gte: { 'data.rows': 7 } }, undefined],
    [{ gt: { 'data.rows': 7 } }, 'data.rows is 7, must be greater than 7'],
    [{ lt: { time: '2026-04-01' } }, undefined],
    [{ lte: { 'data.rows': '9' } }, 'data.rows is 7, must be at most "9"'],
    [{ not: { exact: { 'data.region': 'eu' } } }, '{"exact":{"data.region":"eu"}} holds, and must not'],
    [{ any: [{ exact: { subject: 'x' } }, { gt: { 'data.rows': 1 } }] }, undefined],
    [
      { any: [{ exact: { subject: 'x' } }, { lt: { 'data.rows': 1 } }] },
      'none of: subject is "orders", must be "x"; data.rows is 7, must be less than 1',
    ],
    [{ all: [{ exact: { subject: 'orders' } }, { lt: { 'data.rows': 1 } }] }, 'data.rows is 7, must be less than 1'],
    [{ exact: { 'data.constructor': 'x' } }, 'data.constructor is absent, must be "x"'],
  ])('%j', (filter, miss) => {
    expect(filterProblems(filter)).toEqual([]);
    expect(filterMiss(filter, event)).toBe(miss);
  });

  it.each([
    [{}, /one of exact, prefix/],
    [{ exact: { a: 1 }, prefix: {} }, /one of exact, prefix/],
    [{ sql: 'type = 1' }, /there is no filter 'sql': use one of/],
    [{ constructor: {} }, /there is no filter 'constructor'/],
    [{ gt: { 'data.n': null } }, /the value for 'data.n' does not fit, got null/],
    [{ exact: { 'Not a name': 1 } }, /must be an attribute, or 'data\.' and a path/],
    [{ any: [] }, /filter 'any' must be a list of filters/],
    [Array.from({ length: 12 }).reduce<object>((inner) => ({ not: inner }), { exact: { type: 'x' } }), /deeper than 8/],
    [{ any: Array.from({ length: 101 }, () => ({ exact: { type: 'x' } })) }, /more than 100 parts/],
  ])('%j is refused', (filter, message) => {
    expect(filterProblems(filter).join()).toMatch(message);
  });
});
