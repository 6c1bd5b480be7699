import { describe, expect, it } from 'vitest';
import type { ScheduleTrigger } from '../../schemas/flow-triggers.ts';
import { scheduleProblem, slotsBetween } from '../../schemas/schedule-slots.ts';

const cron = (pattern: string, timezone = 'Europe/Berlin') => ({ schedule: { cron: pattern, timezone } });
const local = (pattern: string, from: string, until: string, timezone?: string) =>
  slotsBetween(cron(pattern, timezone), Date.parse(from), Date.parse(until), 100).map((slot) => slot.local);

/** In Berlin the clock goes from 02:00 to 03:00 on 2026-03-29 at 01:00 UTC, and from 03:00 to 02:00 on 2026-10-25 at 01:00 UTC. */
describe('when the clock jumps forward', () => {
  const day = ['2026-03-28T12:00Z', '2026-03-30T12:00Z'] as const;

  it('a slot that is skipped falls on the first instant after the gap, once', () => {
    expect(local('30 2 * * *', ...day)).toEqual(['2026-03-29T03:00:00+02:00', '2026-03-30T02:30:00+02:00']);
    expect(local('0,30 2,3 * * *', '2026-03-29T00:00Z', '2026-03-29T03:00Z')).toEqual([
      '2026-03-29T03:00:00+02:00',
      '2026-03-29T03:30:00+02:00',
    ]);
  });

  it('hours that follow the clock are real hours', () => {
    expect(local('0 * * * *', '2026-03-28T23:30Z', '2026-03-29T02:30Z')).toEqual([
      '2026-03-29T01:00:00+01:00',
      '2026-03-29T03:00:00+02:00',
      '2026-03-29T04:00:00+02:00',
    ]);
  });
});

describe('when the clock jumps back', () => {
  it('a fixed hour that comes twice has one slot, in its first pass', () => {
    expect(local('30 2 * * *', '2026-10-24T12:00Z', '2026-10-26T12:00Z')).toEqual([
      '2026-10-25T02:30:00+02:00',
      '2026-10-26T02:30:00+01:00',
    ]);
  });

  it('hours that follow the clock come in both passes', () => {
    expect(local('30 * * * *', '2026-10-25T00:00Z', '2026-10-25T02:00Z')).toEqual([
      '2026-10-25T02:30:00+02:00',
      '2026-10-25T02:30:00+01:00',
    ]);
  });

  it('works where the jump is half an hour', () => {
    expect(local('15 2 * * *', '2026-10-02T12:00Z', '2026-10-04T18:00Z', 'Australia/Lord_Howe')).toEqual([
      '2026-10-03T02:15:00+10:30',
      '2026-10-04T02:30:00+11:00',
      '2026-10-05T02:15:00+11:00',
    ]);
  });
});

describe('slots', () => {
  it('of an interval are whole multiples since 1970, after the first time up to the last', () => {
    const slots = slotsBetween({ schedule: { everyMs: 900_000 } }, 900_000, 2_700_000, 10);
    expect(slots).toEqual([
      { atMs: 1_800_000, local: '1970-01-01T00:30:00.000Z' },
      { atMs: 2_700_000, local: '1970-01-01T00:45:00.000Z' },
    ]);
  });

  it('are bounded', () => {
    expect(slotsBetween(cron('* * * * *'), 0, Date.now(), 7)).toHaveLength(7);
  });
});

describe('a schedule without slots', () => {
  const problem = (pattern: string, timezone?: string) => scheduleProblem(cron(pattern, timezone) as ScheduleTrigger);

  it.each([
    ['0 0 30 2 *', /has no slot: no day fits it/],
    ['61 * * * *', /is no cron pattern of five fields .*Invalid value for minute: 61/],
    ['* * * *', /five/],
    ['0 * * * * *', /requires exactly 5 parts/],
    ['', /is no cron pattern/],
  ])('%s is told', (pattern, message) => {
    expect(problem(pattern)).toMatch(message);
  });

  it('for want of a time zone is told', () => {
    expect(problem('0 0 * * *', 'Mars/Base')).toBe(
      "there is no time zone 'Mars/Base': use a name of the tz database, such as Europe/Berlin",
    );
    expect(problem('0 0 * * *')).toBeUndefined();
  });
});
