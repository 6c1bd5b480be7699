/** What it makes says when it was made, so that what was made once is seen. */
import { card, flow } from '../../../sdk/index.ts';

export default flow('memoised', { steps: { memoise: true } })
  .parameter('items', { type: 'list', of: 'integer', default: [1, 2] })
  .step('load', (_, { log, cards }) => {
    log('loading');
    cards.append(card.markdown('# Loaded'));
    return { loadedAt: process.hrtime.bigint().toString() };
  })
  .foreach(
    'fits',
    (_, { parameters }) => parameters.items,
    ({ item }, { log }) => {
      log(`fitting ${item}`);
      return { square: item * item };
    },
  )
  .join('sum', ({ inputs }) => ({ total: inputs.reduce((sum, { square }) => sum + square, 0) }))
  .step('tell', ({ total }) => ({ toldAt: `${total} at ${process.hrtime.bigint()}` }), { memoise: false });
