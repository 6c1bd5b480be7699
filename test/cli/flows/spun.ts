/** Fails in its second step, unless the factor is another one. */
import { flow } from '../../../sdk/index.ts';

export default flow('spun')
  .parameter('factor', { type: 'number', default: 0 })
  .step('load', (_, { tags }) => {
    tags.add('loaded', 'odd');
    tags.remove('odd');
    return { rows: [1, 2, 3], weights: new Float64Array(20_000).fill(2) };
  })
  .foreach(
    'parts',
    ({ rows }) => rows,
    (part) =>
      part.step(
        'scale',
        ({ item, weights }, { parameters, log }) => {
          if (parameters.factor === 0) throw new Error('a factor of 0 scales nothing');
          log(`scaling ${item}`);
          return { scaled: item * parameters.factor * (weights[0] ?? 0) };
        },
        { catch: 'failure' },
      ),
  )
  .join('all', ({ inputs }) => ({ sum: inputs.reduce((sum, { scaled = 0 }) => sum + scaled, 0) }));
