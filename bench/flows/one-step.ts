import { flow } from '../../sdk/index.ts';

export default flow('one-step').step('only', () => ({ value: 1 }));
