/** A search over hyper-parameters: one task for each pair, as many at a time as `maxWorkers`; the join takes the best. */
import { flow } from '../../sdk/index.ts';

interface Trial {
  readonly rate: number;
  readonly depth: number;
}

export default flow('search', { maxWorkers: 4 })
  .parameter('rates', { type: 'json', default: [0.01, 0.1, 1] })
  .step('prepare', () => ({ target: { rate: 0.1, depth: 3 }, note: 'same for all' }))
  .foreach(
    'trials',
    (_, { parameters }): Trial[] =>
      (parameters.rates as number[]).flatMap((rate) => [1, 2, 3, 4].map((depth) => ({ rate, depth }))),
    (each) =>
      each
        .step('fit', ({ item, target }, { index }) => ({
          trial: item,
          number: index,
          error: Math.abs(Math.log10(item.rate / target.rate)) + Math.abs(item.depth - target.depth),
        }))
        .step('check', ({ error, item }) => ({ usable: error < 2 && item.depth > 0 })),
  )
  .join('choose', ({ inputs }, { merge }) => {
    const usable = inputs.filter((input) => input.usable);
    const [best] = [...usable].sort((a, b) => a.error - b.error);
    return merge(
      { best: best?.trial, order: inputs.map(({ number }) => number), usable: usable.length },
      { include: ['note'] },
    );
  })
  .step('tell', ({ best, note }) => ({ told: `${note}: ${best?.rate} ${best?.depth}` }));
