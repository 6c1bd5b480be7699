import { expect, it } from 'vitest';
import { CatchingUp } from '../../../services/all-in-one/catching-up.ts';

it('asks again only the parts of a process that could not catch up, however often it looks', async () => {
  const asked = { ill: 0, slow: 0, fast: 0 };
  let caughtUp: () => void = () => undefined;
  const slow = new Promise<void>((resolve) => {
    caughtUp = resolve;
  });
  const parts = [
    { ready: () => (++asked.ill < 3 ? Promise.reject(new Error(`ill ${asked.ill}`)) : Promise.resolve()) },
    {
      ready: () => {
        asked.slow += 1;
        return slow;
      },
    },
    {
      ready: async () => {
        asked.fast += 1;
      },
    },
  ];
  const catchingUp = new CatchingUp();
  await expect(catchingUp.all(parts)).rejects.toThrow('ill 1');
  await expect(catchingUp.all(parts)).rejects.toThrow('ill 2');
  const last = catchingUp.all(parts);
  caughtUp();
  await last;
  expect(asked).toEqual({ ill: 3, slow: 1, fast: 1 });
});
