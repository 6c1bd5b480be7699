import { flow } from '../../../sdk/index.ts';

export default flow('secrets').step(
  'has',
  () => {
    console.log(`${process.env['PLAIN']} ${process.env['HIDDEN']}`);
    throw new Error(`the secret is ${process.env['HIDDEN']}`);
  },
  { environment: { PLAIN: 'plain' }, secrets: { HIDDEN: { provider: 'env', key: 'SHAPES_TEST_SECRET' } } },
);
