import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { ObservationsSampled, WindowClosed, WindowTerms } from '../../schemas/events.ts';
import { observationWindows } from '../../topologies/observation-windows.ts';
import { windowCellsMax } from '../../topologies/observation-windows/parts.ts';

let driver: TopologyDriver<'observations'>;
beforeEach(async () => {
  driver = await createTopologyDriver(observationWindows);
});

/** A batch of `rows` rows that begin at `first`; the value of a row is its number. */
function batch(first: number, rows: number, overrule: Partial<ObservationsSampled> = {}): ObservationsSampled {
  const numbers = Array.from({ length: rows }, (_, i) => first + i);
  return {
    deployment: 'diamonds',
    deploymentVersion: 1,
    partition: 0,
    offsets: numbers,
    windowRows: 250,
    windowMinRows: 50,
    windowMaxAgeMs: 10_000,
    predictionIds: numbers.map((n) => `p${n}`),
    routes: numbers.map((n) => (n % 2 === 0 ? 'a' : 'b')),
    columns: [{ name: 'x', values: numbers }],
    outputs: [{ name: 'y', values: numbers.map((n) => -n) }],
    stream: 'predictions',
    times: numbers.map(() => 0),
    rowsOfPrediction: [],
    windows: [],
    online: [],
    statisticsEveryMs: 0,
    statisticsLatenessMs: 0,
    ...overrule,
  };
}

const pipe = (data: ObservationsSampled): void => {
  driver.pipe({ type: 'observations-sampled', data, key: data.deployment });
};

function windows(from = driver): WindowClosed[] {
  return from.takeOutputs().map(({ topic, type, key, data }) => {
    expect([topic, type, key]).toEqual(['observations', 'window-closed', 'diamonds']);
    return data as WindowClosed;
  });
}

it('of an old version is let go a week after the first rows of a newer one, once its rows are said', () => {
  // sliding windows keep rows, and the third version's rows wait longer than a week
  const sliding = { windowRows: 20, windowMinRows: 1, windowMaxAgeMs: 2_000 };
  const slides = { id: 's', stream: 'predictions', rows: 10, everyRows: 5, minRows: 1, maxAgeMs: 2_000 };
  const timeless = { lengthMs: 0, everyMs: 0, latenessMs: 0, referenceRows: 0 };
  const rows = (version: number, overrule: object = {}) =>
    pipe(batch(0, 10, { ...sliding, deploymentVersion: version, windows: [{ ...slides, ...timeless }], ...overrule }));
  rows(1);
  rows(9, { windowMaxAgeMs: 9 * 86_400_000, windowMinRows: 20 });
  rows(10);
  driver.advance(7 * 86_400_000);
  expect(driver.stateKeys('w/')).toEqual([
    'w/diamonds/10/predictions/s',
    'w/diamonds/9/',
    'w/diamonds/9/predictions/s',
  ]);
  driver.advance(100 * 86_400_000);
  driver.advance(8 * 86_400_000);
  expect(driver.stateKeys('w/')).toEqual(['w/diamonds/10/predictions/s']);
  expect(windows().filter(({ deploymentVersion, window }) => deploymentVersion === 9 && window === '')).toHaveLength(1);
});

it('of an old version is let go again when rows of it come after all was', () => {
  const rows = (version: number) =>
    pipe(batch(0, 10, { windowRows: 10, windowMinRows: 1, deploymentVersion: version, windows: [slide] }));
  const slide: WindowTerms = {
    ...{ id: 's', stream: 'predictions', rows: 10, everyRows: 5, minRows: 1, maxAgeMs: 2_000 },
    ...{ lengthMs: 0, everyMs: 0, latenessMs: 0, referenceRows: 0 },
  };
  rows(1);
  rows(2);
  driver.advance(7 * 86_400_000);
  expect(driver.stateKeys('w/')).toEqual(['w/diamonds/2/predictions/s']);
  rows(1);
  driver.advance(6 * 86_400_000);
  rows(1);
  driver.advance(6 * 86_400_000);
  expect(driver.stateKeys('w/')).toContain('w/diamonds/1/predictions/s');
  driver.advance(86_400_000);
  expect(driver.stateKeys('w/')).toEqual(['w/diamonds/2/predictions/s']);
  expect(driver.timerCount()).toBe(0);
});

describe('a window', () => {
  it('closes when it is full; the batch that overflows it is split', () => {
    const openedAt = driver.nowMs;
    pipe(batch(0, 100));
    driver.advance(5);
    pipe(batch(100, 100, { partition: 3, offsets: Array.from({ length: 100 }, (_, i) => 7 + i) }));
    pipe(batch(200, 100));
    const [full, ...more] = windows();
    expect(more).toEqual([]);
    expect(full).toMatchObject({
      deployment: 'diamonds',
      deploymentVersion: 1,
      rows: 250,
      openedAt,
      closedAt: openedAt + 5,
      closedBy: 'rows',
      sources: [
        { partition: 0, firstOffset: 0, lastOffset: 249 },
        { partition: 3, firstOffset: 7, lastOffset: 106 },
      ],
    });
    // By partition, so that the positions say the order.
    const number = (i: number): number => (i < 100 ? i : i < 150 ? i + 100 : i - 50);
    const numbers = Array.from({ length: 250 }, (_, i) => number(i));
    expect(full?.columns).toEqual([{ name: 'x', values: numbers }]);
    expect(full?.outputs[0]?.values[249]).toBe(-199);
    expect(full?.predictionIds).toEqual(numbers.map((n) => `p${n}`));
    expect(full?.routes.slice(0, 2)).toEqual(['a', 'b']);
    // The age is that of the rows that are left over.
    driver.advance(9_999);
    expect(windows()).toEqual([]);
    driver.advance(1);
    expect(windows()).toMatchObject([{ rows: 50, closedBy: 'age', sources: [{ firstOffset: 250, lastOffset: 299 }] }]);
    expect(driver.stateKeys('w/')).toEqual([]);
    expect(driver.timerCount()).toBe(0);
  });

  it('closes when its first row is old enough and it has enough rows', () => {
    pipe(batch(0, 50));
    driver.advance(9_999);
    expect(windows()).toEqual([]);
    driver.advance(1);
    expect(windows()).toMatchObject([{ rows: 50, closedBy: 'age' }]);
  });

  it('with too few rows waits for enough', () => {
    pipe(batch(0, 49));
    driver.advance(20_000);
    expect(windows()).toEqual([]);
    pipe(batch(49, 1));
    expect(windows()).toMatchObject([{ rows: 50, closedBy: 'age' }]);
    expect(driver.timerCount()).toBe(0);
  });

  it('that never gets enough rows is closed in the end, so that somebody says so', () => {
    pipe(batch(0, 3));
    driver.advance(99_999);
    expect(windows()).toEqual([]);
    driver.advance(1);
    expect(windows()).toMatchObject([{ rows: 3, closedBy: 'age' }]);
    expect(driver.stateKeys('w/')).toEqual([]);
  });

  it('takes one batch apart into as many windows as it fills', () => {
    pipe(batch(0, 100, { windowRows: 30 }));
    const made = windows();
    expect(made.map(({ rows }) => rows)).toEqual([30, 30, 30]);
    expect(new Set(made.map(({ windowId }) => windowId)).size).toBe(3);
    expect(made[2]?.predictionIds[0]).toBe('p60');
  });

  it('never holds more numbers than it may', () => {
    const columns = Array.from({ length: 1_000 }, (_, c) => ({
      name: `c${c}`,
      values: Array.from({ length: 100 }, () => c),
    }));
    for (let i = 0; i < 5; i++) pipe(batch(100 * i, 100, { windowRows: 100_000, columns, outputs: [] }));
    const [made] = windows();
    expect(made).toMatchObject({ rows: windowCellsMax / 1_000, closedBy: 'room' });
  });

  it('holds one version of a deployment and one layout', () => {
    pipe(batch(0, 60));
    pipe(batch(60, 60, { deploymentVersion: 2 }));
    pipe(batch(120, 60, { columns: [{ name: 'z', values: Array.from({ length: 60 }, () => 0) }] }));
    expect(windows()).toMatchObject([{ rows: 60, closedBy: 'layout', deploymentVersion: 1 }]);
    driver.advance(10_000);
    expect(windows().map(({ deploymentVersion, columns }) => [deploymentVersion, columns[0]?.name])).toEqual([
      [1, 'z'],
      [2, 'x'],
    ]);
  });

  it('is nothing that its own fold reacts to', () => {
    pipe(batch(0, 250));
    const [made] = windows();
    driver.pipe({ type: 'window-closed', data: made as WindowClosed, key: 'diamonds' });
    expect(driver.takeOutputs()).toEqual([]);
  });
});

describe('any batches', () => {
  it('every row lies in exactly one window, in order, also over a restart in the middle', async () => {
    const sizes = fc.array(
      fc.record({ rows: fc.integer({ min: 1, max: 100 }), waitMs: fc.constantFrom(0, 0, 1_000, 12_000) }),
      {
        minLength: 1,
        maxLength: 30,
      },
    );
    await fc.assert(
      fc.asyncProperty(sizes, fc.integer({ min: 1, max: 120 }), fc.nat(30), async (parts, windowRows, cut) => {
        const run = async (restartAt: number | undefined): Promise<WindowClosed[]> => {
          let own = await createTopologyDriver(observationWindows);
          const closed: WindowClosed[] = [];
          let first = 0;
          for (const [index, { rows, waitMs }] of parts.entries()) {
            if (index === restartAt) {
              closed.push(...windows(own));
              own = await createTopologyDriver(observationWindows, { snapshot: own.snapshot() });
            }
            const data = batch(first, rows, { windowRows, windowMinRows: Math.min(10, windowRows) });
            own.pipe({ type: 'observations-sampled', data, key: 'diamonds', id: `b${index}` });
            if (waitMs > 0) own.advance(waitMs);
            first += rows;
          }
          own.advance(200_000);
          return [...closed, ...windows(own)];
        };
        const whole = await run(undefined);
        const total = parts.reduce((sum, { rows }) => sum + rows, 0);
        expect(whole.flatMap(({ predictionIds }) => predictionIds)).toEqual(
          Array.from({ length: total }, (_, n) => `p${n}`),
        );
        for (const { rows, predictionIds, columns } of whole) {
          expect(rows).toBeLessThanOrEqual(windowRows);
          expect([predictionIds.length, columns[0]?.values.length]).toEqual([rows, rows]);
        }
        expect(new Set(whole.map(({ windowId }) => windowId)).size).toBe(whole.length);
        expect(await run(cut)).toEqual(whole);
      }),
      { numRuns: 40, verbose: 1 },
    );
  });
});

describe('a window that a detector asks for', () => {
  const terms = (overrule: Partial<WindowTerms>): WindowTerms => ({
    id: 'mine',
    stream: 'predictions',
    rows: 100,
    everyRows: 100,
    minRows: 20,
    maxAgeMs: 10_000,
    lengthMs: 0,
    everyMs: 0,
    latenessMs: 0,
    referenceRows: 0,
    ...overrule,
  });
  const only = (windows: readonly WindowTerms[], overrule: Partial<ObservationsSampled> = {}) => ({
    windowRows: 0,
    windows,
    ...overrule,
  });
  const values = ({ columns }: WindowClosed) => columns[0]?.values ?? [];

  it('slides by count: each holds the newest rows', () => {
    const slides = only([terms({ rows: 100, everyRows: 40 })]);
    for (let first = 0; first < 300; first += 25) pipe(batch(first, 25, slides));
    const made = windows();
    expect(made.map((window) => [window.rows, values(window)[0], window.window])).toEqual(
      [0, 40, 80, 120, 160, 200].map((first) => [100, first, 'mine']),
    );
    expect(new Set(made.map(({ windowId }) => windowId)).size).toBe(6);
    // What is old is said, with the rows before it.
    driver.advance(10_000);
    expect(windows()).toMatchObject([]);
    pipe(batch(300, 5, slides));
    driver.advance(10_000);
    const [aged] = windows();
    expect(aged).toMatchObject({ closedBy: 'age' });
    expect(values(aged!).at(-1)).toBe(304);
  });

  it('lies beside the deployment’s own window, each with all rows', () => {
    pipe(batch(0, 300, { windows: [terms({})] }));
    expect(windows().map(({ window, rows }) => [window, rows])).toEqual([
      ['', 250],
      ['mine', 100],
      ['mine', 100],
      ['mine', 100],
    ]);
  });

  it('takes the first rows as the reference, once, and none of them into a window', () => {
    const asked = only([terms({ referenceRows: 130 })]);
    for (let first = 0; first < 400; first += 50) pipe(batch(first, 50, asked));
    expect(windows().map((window) => [window.role, window.rows, values(window)[0]])).toEqual([
      ['reference', 130, 0],
      ['window', 100, 130],
      ['window', 100, 230],
    ]);
  });

  describe('by time', () => {
    const minute = terms({ rows: 10_000, everyRows: 0, lengthMs: 60_000, everyMs: 20_000, latenessMs: 5_000 });
    /** Rows at the given moments, seen from the minute that begins now. */
    let begin: number;
    const at = (moments: readonly number[], first = 0): void =>
      pipe(batch(first, moments.length, only([minute], { times: moments.map((ms) => begin + ms) })));
    beforeEach(() => {
      begin = Math.ceil(driver.nowMs / 60_000) * 60_000;
      driver.advance(begin - driver.nowMs);
    });

    it('holds the rows of its time, slides, and waits for late ones', () => {
      driver.advance(1_000);
      at([0, 500]);
      driver.advance(22_000);
      at([19_999, 21_000], 2);
      expect(windows()).toEqual([]);
      driver.advance(2_000);
      const [first] = windows();
      expect(first).toMatchObject({
        rows: 3,
        closedBy: 'time',
        startMs: begin - 40_000,
        endMs: begin + 20_000,
        lateRows: 0,
      });
      at([100], 4);
      driver.advance(80_000);
      expect(windows().map(({ endMs, rows, lateRows }) => [endMs - begin, rows, lateRows])).toEqual([
        [40_000, 4, 1],
        [60_000, 4, 0],
        [80_000, 1, 0],
      ]);
      expect(driver.stateKeys('w/')).toEqual([]);
      expect(driver.timerCount()).toBe(0);
    });

    it('leaves rows from the future out, so that a clock that jumps holds nothing open', () => {
      at([0, 3_600_000, -3_600_000]);
      driver.advance(120_000);
      expect(windows()).toMatchObject([{ rows: 1, lateRows: 2 }, { rows: 1, lateRows: 0 }, { rows: 1 }]);
      expect(driver.counters()).toMatchObject({ rowsLate: 2 });
    });

    it('says how many rows came too late also when there was no window to be in', () => {
      at([-3_600_000, -3_600_001]);
      driver.advance(120_000);
      expect(windows()).toEqual([]);
      begin += 120_000;
      at([0], 2);
      driver.advance(30_000);
      expect(windows()).toMatchObject([{ rows: 1, lateRows: 2 }]);
      expect(driver.counters()).toMatchObject({ rowsLate: 2 });
    });

    it('begins anew behind a clock that jumped ahead, and has all rows of a clock that fell back within the lateness', () => {
      at([0]);
      driver.advance(7_200_000);
      expect(windows()).toHaveLength(3);
      begin += 7_200_000;
      driver.advance(1_000);
      // A producer's clock fell back by four seconds: behind the start of the window, within the lateness.
      at([1_000, -3_000], 1);
      driver.advance(60_000);
      const made = windows();
      expect(made.map(({ endMs, rows }) => [endMs - begin, rows])).toEqual([
        [0, 1],
        [20_000, 2],
        [40_000, 2],
      ]);
      expect(driver.counters()['rowsLate'] ?? 0).toBe(0);
    });

    it('keeps every second row when there are more than it may hold, evenly, and says how many there were', () => {
      const small = terms({ rows: 64, everyRows: 0, lengthMs: 60_000, everyMs: 60_000 });
      for (let first = 0; first < 1_000; first += 100) {
        pipe(batch(first, 100, only([small], { times: Array.from({ length: 100 }, () => begin) })));
      }
      driver.advance(60_000);
      const [window] = windows();
      expect(window).toMatchObject({ rowsSeen: 1_000 });
      expect(window?.rows).toBeLessThanOrEqual(64);
      expect(values(window!).slice(0, 3)).toEqual([0, 16, 32]);
    });

    it('is the same after a restart in the middle', async () => {
      const run = async (restarts: boolean): Promise<WindowClosed[]> => {
        driver = await createTopologyDriver(observationWindows, { startMs: begin });
        const made: WindowClosed[] = [];
        for (let n = 0; n < 12; n++) {
          at([n * 7_000, n * 7_000 + 1], 2 * n);
          driver.advance(7_000);
          made.push(...windows());
          if (restarts)
            driver = await createTopologyDriver(observationWindows, {
              snapshot: driver.snapshot(),
              startMs: driver.nowMs,
            });
        }
        return made;
      };
      const straight = await run(false);
      expect(straight.length).toBeGreaterThan(2);
      expect(await run(true)).toEqual(straight);
    });
  });
});
