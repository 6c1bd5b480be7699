import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { createTopologyDriver, type TopologyDriver } from '../../runtime/testing/index.ts';
import type { ObservationsSampled, WindowClosed } from '../../schemas/events.ts';
import { observationWindows, windowCellsMax } from '../../topologies/observation-windows.ts';

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
    const numbers = Array.from({ length: 250 }, (_, i) => i);
    expect(full?.columns).toEqual([{ name: 'x', values: numbers }]);
    expect(full?.outputs[0]?.values[249]).toBe(-249);
    expect(full?.predictionIds).toEqual(numbers.map((n) => `p${n}`));
    expect(full?.routes.slice(0, 2)).toEqual(['a', 'b']);
    // The age is that of the rows that are left over.
    driver.advance(9_999);
    expect(windows()).toEqual([]);
    driver.advance(1);
    expect(windows()).toMatchObject([{ rows: 50, closedBy: 'age', sources: [{ firstOffset: 250, lastOffset: 299 }] }]);
    expect(driver.stateKeys()).toEqual([]);
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
    expect(driver.stateKeys()).toEqual([]);
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
