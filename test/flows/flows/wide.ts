import { flow } from '../../../sdk/index.ts';

export default flow('wide')
  .parameter('n', { type: 'integer', default: 100 })
  .foreach(
    'rows',
    function* (_, { parameters }) {
      for (let row = 0; row < parameters.n; row++) yield row;
    },
    ({ item }) => ({ value: item, big: 'x'.repeat(3_000) }),
  )
  .join('sum', ({ inputs }) => ({
    total: inputs.reduce((sum, { value }) => sum + value, 0),
    big: inputs.reduce((sum, { big }) => sum + big.length, 0),
  }));
