import { flow } from '../../sdk/flow/index.ts';

/** Ten steps one after the other, each with an artifact, that do nothing: all the time they take is the platform's. */
const next = ({ value }: { readonly value: number }): { value: number } => ({ value: value + 1 });

export default flow('ten-steps')
  .step('one', () => ({ value: 1 }))
  .step('two', next)
  .step('three', next)
  .step('four', next)
  .step('five', next)
  .step('six', next)
  .step('seven', next)
  .step('eight', next)
  .step('nine', next)
  .step('ten', next);
