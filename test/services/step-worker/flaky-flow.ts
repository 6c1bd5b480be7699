import { flow } from '../../../sdk/index.ts';

/** Registers, and then fails, at its first attempt. */
export default flow('flaky')
  .on('flaky-wanted')
  .step(
    'train',
    (_, { models, attempt }) => {
      models.register('flaky', { onnx: new Uint8Array([attempt]), metrics: { attempt } });
      if (attempt === 1) throw new Error('the first attempt breaks');
      return { attempt };
    },
    { retry: 1 },
  );
