import { flow } from '../../../sdk/index.ts';

const keys: Readonly<Record<string, string | number | boolean>> = { 1: 1, true: true };

export default flow('switches')
  .parameter('key', { type: 'string', default: '1' })
  .switch(
    'route',
    (_, { parameters }) => keys[parameters.key] ?? parameters.key,
    {
      1: () => ({ way: 'one' }),
      true: () => ({ way: 'yes' }),
      text: (branch) => branch.step('only', () => ({ way: 'text' })),
    },
    { retry: 2 },
  )
  .step('end', (artifacts) => ({ way: (artifacts as { way: string }).way }));
