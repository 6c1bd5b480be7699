import type { PredictionCompleted } from '../../../schemas/events.ts';
import { inputDigest } from '../../../schemas/input-digest.ts';
import { type Link, problemOf } from './link.ts';

/** How the record of a prediction is checked: its inputs have the digest that it says. */
export function predictionLink(event: {
  readonly type: string;
  readonly data: object;
}): Pick<Link, 'check' | 'problem'> {
  if (event.type !== 'prediction-completed')
    return { check: 'record read back', problem: `the record holds a ${event.type}` };
  const { withheld, inputs, inputDigest: recorded } = event.data as PredictionCompleted;
  if (withheld) return { check: 'record read back; inputs are withheld' };
  const digest = inputDigest(inputs);
  return {
    check: 'digest of the recorded inputs',
    ...problemOf(digest === recorded ? undefined : `the inputs have digest ${digest}, the record says ${recorded}`),
  };
}
