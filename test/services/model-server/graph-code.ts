/** A deployment with code of every temper, for the tests of graphs in a model server. */
import { deployment, graph, pipeline } from '../../../sdk/deployment/index.ts';

interface Point {
  readonly x: readonly [number, number];
}

const kept: number[][] = [];

export default deployment('tempers')
  .route(
    'tempo',
    pipeline({ first: 'models:/linear/1', second: 'models:/linear/2' }, async (row: Point, { first, second }) => {
      const a = await first(row);
      return a.y < 100 ? a : await second(row);
    }),
  )
  .route(
    'moody',
    graph().transformer(
      'mood',
      ({ x: [mood, value] }: Point) => {
        if (mood === 1) throw new Error('a bad day');
        if (mood === 2) for (;;);
        if (mood === 4) process.exit(3);
        if (mood === 5) return new Promise(() => undefined);
        if (mood === 6) return { secret: process.env['MILLRACE_SECRET'] ?? 'none' };
        return { y: value };
      },
      { timeoutMs: 400, memoryMb: 32 },
    ),
  )
  .route(
    'greedy',
    graph().transformer(
      'greed',
      ({ x: [mood, value] }: Point) => {
        if (mood === 3) for (;;) kept.push(new Array<number>(1_000_000).fill(1.5));
        return { y: value };
      },
      { timeoutMs: 60_000, memoryMb: 32 },
    ),
  )
  .route(
    'sized',
    graph()
      .router('size', ['small', 'large'], ({ x: [size] }: Point) => (size < 3 ? 'small' : 'large'))
      .router('drawn', ['only'], 'random', { inputs: ['size/small'] })
      .model('a', 'models:/linear/1', { inputs: ['drawn/only'] })
      .model('b', 'models:/linear/2', { inputs: ['size/large'] })
      .output(['a', 'b']),
  );
