import { flow } from '../../../sdk/index.ts';

/** Starts when the training of the same project branch has ended well. */
export default flow('report', { project: 'fraud' })
  .parameter('of', { type: 'string', default: '' })
  .onFinish('train', { parameters: { of: 'runId' } })
  .step('write', (_, { parameters }) => ({ about: parameters.of }));
