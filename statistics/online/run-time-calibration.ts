/** Thresholds of online detectors from a stated expected run time, by simulating streams without a change. */
import { requireInteger } from '../arguments.ts';

export interface RunTimeCalibration {
  /** Expected number of values before a false alarm. */
  readonly expectedRunTime: number;
  /** Streams to simulate. @default 200 */
  readonly simulations?: number;
}

/** How far each simulated stream runs, in expected run times. */
const HORIZON = 3;

/**
 * The threshold that a statistic exceeds about once per `expectedRunTime` values without a change. Run times that reach
 * the horizon count as unfinished: the mean is total time over alarms. With 200 streams it is right to about 10 %.
 * @param startStream begins a stream; each call of what it returns gives the statistic after one more value.
 */
export function calibrateThreshold(calibration: RunTimeCalibration, startStream: () => () => number): number {
  const { expectedRunTime } = calibration;
  const simulations = calibration.simulations ?? 200;
  requireInteger('expectedRunTime', expectedRunTime, 2);
  requireInteger('simulations', simulations, 20);
  const horizon = HORIZON * expectedRunTime;
  const streams = Array.from({ length: simulations }, () => records(startStream(), horizon));
  const runTime = (threshold: number) => {
    let total = 0;
    let alarms = 0;
    for (const stream of streams) {
      const hit = stream.find(({ value }) => value > threshold);
      total += hit?.time ?? horizon;
      if (hit !== undefined) alarms += 1;
    }
    return alarms === 0 ? Infinity : total / alarms;
  };
  const maxima = streams.map((stream) => stream[stream.length - 1]?.value ?? 0);
  let low = 0;
  let high = maxima.reduce((a, b) => Math.max(a, b), 0);
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (runTime(middle) < expectedRunTime) low = middle;
    else high = middle;
  }
  return high;
}

interface NewMaximum {
  readonly time: number;
  readonly value: number;
}

/** Only new maxima matter for the time at which any threshold is first exceeded. */
function records(next: () => number, horizon: number): NewMaximum[] {
  const found: NewMaximum[] = [];
  let top = -Infinity;
  for (let time = 1; time <= horizon; time++) {
    const value = next();
    if (value > top) {
      top = value;
      found.push({ time, value });
    }
  }
  return found;
}
