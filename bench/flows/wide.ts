import { flow } from '../../sdk/index.ts';

/** A foreach over integers whose tasks do nothing: all the time they take is the platform's. */
export default flow('wide', { maxSplits: 100_000 })
  .parameter('items', { type: 'integer', default: 1_000 })
  .foreach(
    'numbers',
    function* (_, { parameters }) {
      for (let n = 0; n < parameters.items; n++) yield n;
    },
    ({ item }) => ({ value: item }),
  )
  .join('sum', ({ inputs }) => ({ total: inputs.reduce((sum, { value }) => sum + value, 0) }));
