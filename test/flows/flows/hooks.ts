import { flow } from '../../../sdk/index.ts';

export default flow('hooks')
  .onError(({ step, kind, message }) => {
    throw new Error(`told: ${step} ${kind} ${message}`);
  })
  .step('breaks', () => {
    throw new Error('on purpose');
  });
