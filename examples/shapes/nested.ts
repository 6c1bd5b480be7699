/** A foreach in a foreach: regions, and in each its stores; a switch decides per store. */
import { flow } from '../../sdk/index.ts';

const regions = [
  { name: 'north', stores: [3, 1] },
  { name: 'south', stores: [2] },
  { name: 'empty', stores: [] as number[] },
];

export default flow('nested')
  .foreach(
    'regions',
    () => regions,
    (region) =>
      region
        .step('open', ({ item }) => ({ region: item.name, stores: item.stores }))
        .foreach(
          'sales',
          ({ stores }) => stores,
          (store) =>
            store
              .switch('size', ({ item }): 'small' | 'big' => (item > 2 ? 'big' : 'small'), {
                small: ({ item }) => ({ sold: item }),
                big: (branch) =>
                  branch
                    .step('count', ({ item }) => ({ counted: item }))
                    .step('double', ({ counted }) => ({ sold: 2 * counted })),
              })
              .step('label', ({ sold }, { stack }) => ({
                label: `${stack.map(({ index }) => index).join('.')}=${sold}`,
                sold,
              })),
        )
        .join('sum', ({ inputs }, { before }) => ({
          total: inputs.reduce((sum, { sold }) => sum + sold, 0),
          labels: inputs.map(({ label }) => label),
          region: before.region,
        })),
  )
  .join('report', ({ inputs }) => ({ report: inputs.map(({ region, total, labels }) => ({ region, total, labels })) }));
