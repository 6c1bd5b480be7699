import { expect, it } from 'vitest';
import { Closers } from '../../../runtime/profiles/closers.ts';

it('closes all, last first, whatever one of them throws, and then says so', async () => {
  const closed: string[] = [];
  const closers = new Closers();
  for (const name of ['log', 'state', 'blobs'])
    closers.add(name, () => {
      closed.push(name);
      if (name !== 'log') throw new Error(`${name} would not close`);
    });
  await expect(closers.close()).rejects.toMatchObject({
    errors: [{ message: 'blobs would not close' }, expect.anything()],
  });
  expect(closed).toEqual(['blobs', 'state', 'log']);
  await closers.close();
  closers.add('one', () => Promise.reject(new Error('one would not close')));
  await expect(closers.close()).rejects.toThrow('one would not close');
});
