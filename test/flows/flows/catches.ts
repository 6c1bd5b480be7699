import { flow } from '../../../sdk/index.ts';

export default flow('catches')
  .parameter('how', { type: 'string', default: 'work' })
  .step(
    'risky',
    (_, { parameters }) => {
      if (parameters.how === 'throw') throw new Error('it broke');
      if (parameters.how === 'kill') process.kill(process.pid, 'SIGKILL');
      return { made: 1 };
    },
    { retry: 1, catch: 'failure' },
  )
  .step('end', ({ failure, made }) => ({ seen: failure, made }));
