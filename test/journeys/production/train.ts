import { flow } from '../../../sdk/index.ts';

/** Starts for two events of one day, and daily; one run at a time. */
export default flow('train', { project: 'fraud', concurrency: 1, tags: ['nightly'] })
  .parameter('day', { type: 'string', default: '' })
  .parameter('rows', { type: 'integer', default: 0 })
  .on({
    name: 'both',
    all: [
      { event: 'rows-arrived', filter: { gte: { 'data.rows': 10 } }, parameters: { rows: 'rows', day: 'day' } },
      { event: 'labels-arrived', filter: { prefix: { source: '/warehouse/' } } },
    ],
    within: '1h',
    key: 'day',
  })
  .schedule({ daily: true, timezone: 'Europe/Berlin', slot: 'day', overlap: 'queue' })
  .step('fit', (_, { parameters }) => ({ fitted: parameters.rows }));
