import { flow } from '../../../sdk/index.ts';

export default flow('merges')
  .parameter('how', { type: 'string', default: 'solved' })
  .step('start', () => ({ a: 'before', same: [1, 2] }))
  .branch('sides', {
    left: () => ({ a: 'left', b: 'left', onlyLeft: 1 }),
    right: () => ({ b: 'right' }),
  })
  .join('meet', (_, { merge, parameters }) => {
    if (parameters.how === 'conflict') return merge();
    if (parameters.how === 'missing') return merge({}, JSON.parse('{"include":["nothing"]}') as object);
    return merge({ a: 'mine' }, { exclude: ['b'] });
  })
  .step('end', ({ a, onlyLeft, same }) => ({ seen: { a, onlyLeft, same } }));
