import { flow } from '../../../sdk/index.ts';

/** Every shape, one in another. */
export default flow('shapes', { maxWorkers: 8 })
  .parameter('rates', { type: 'list', of: 'number', default: [0.1, 1] })
  .parameter('mode', { type: 'enum', values: ['fast', 'slow'], default: 'fast' })
  .onSuccess(() => undefined)
  .step('load', () => ({ rows: [1, 2, 3] }), { retry: 3, timeoutMs: 60_000 })
  .branch('train', {
    linear: ({ rows }) => ({ error: rows.length }),
    forest: (branch) =>
      branch
        .foreach(
          'depths',
          () => [2, 3],
          (each) =>
            each.step('grow', ({ item, rows }) => ({ error: item / rows.length }), {
              resources: { cpu: 2, memoryMb: 512 },
            }),
        )
        .join('best', ({ inputs }) => ({ error: Math.min(...inputs.map(({ error }) => error)) })),
  })
  .join('choose', ({ linear, forest }) => ({ error: Math.min(linear.error, forest.error) }), { catch: 'failure' })
  .switch('path', () => 'keep' as const, { keep: () => ({ kept: true }), drop: () => ({ kept: false }) })
  .repeat('tune', (round) => round.step('try', () => ({ done: true })), { until: ({ done }) => done, most: 5 })
  .gang('fit', { size: 3 }, (_, { gang }) => ({ rank: gang.rank }))
  .join('collect', () => ({ ok: true }), { secrets: { TOKEN: { provider: 'env', key: 'TOKEN' } } });
