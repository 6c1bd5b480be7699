import { flow } from '../../../sdk/index.ts';

/** Parameters of every type; logs on both streams; a step that fails when it is told to. */
export default flow('search')
  .configure('limits', { default: { depth: 3 } })
  .parameter('rates', { type: 'list', of: 'number', default: [0.1, 1], help: 'learning rates to try' })
  .parameter('maxDepth', {
    type: 'integer',
    default: ({ configuration }) => (configuration['limits'] as { depth: number }).depth,
  })
  .parameter('stamp', { type: 'string', default: () => String(Math.random()) })
  .parameter('mode', { type: 'enum', values: ['fast', 'slow', 3], default: 'fast' })
  .parameter('bad', { type: 'boolean', default: false })
  .parameter('extra', { type: 'json' })
  .parameter('words', { type: 'file', default: 'words.txt', help: 'what to read' })
  .parameter('table', { type: 'file', as: 'json' })
  .step('prepare', (_, { parameters: { words, table, stamp, mode, maxDepth, extra, rates } }) => {
    console.log('preparing');
    console.error('to the error stream');
    return { seen: { words, table, mode, maxDepth, extra, rates }, stamp };
  })
  .foreach(
    'trials',
    (_, { parameters }) => parameters.rates,
    (each) =>
      each.step('fit', ({ item, stamp }, { parameters, attempt }) => {
        console.log(`fitting ${item} attempt ${attempt}`);
        if (parameters.bad && item === 1) throw new Error(`cannot fit ${item}`);
        return { rate: item, stamp };
      }),
  )
  .join('choose', ({ inputs }, { parameters }) => ({
    best: Math.max(...inputs.map(({ rate }) => rate)),
    stamps: new Set([...inputs.map(({ stamp }) => stamp), parameters.stamp]).size,
  }));
