/** The smallest flow that shows every shape: a parameter, a trigger, steps, branches and their join. */
import { flow } from '../../sdk/index.ts';

export default flow('hello')
  .parameter('name', { type: 'string', default: 'world', help: 'whom to greet' })
  .on('hello-wanted', { parameters: { name: 'person' } })
  .step('greet', (_, { parameters }) => ({ greeting: `hello ${parameters.name}` }))
  .branch('say', {
    loud: ({ greeting }) => ({ text: greeting.toUpperCase() }),
    twice: (branch) =>
      branch
        .step('repeat', ({ greeting }) => ({ parts: [greeting, greeting] }))
        .step('glue', ({ parts }) => ({ text: parts.join(', ') })),
  })
  .join('collect', ({ loud, twice }, { before, log }) => {
    log('collected', { branches: 2 });
    return { said: [before.greeting, loud.text, twice.text] };
  });
