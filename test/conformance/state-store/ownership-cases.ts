import { expect } from 'vitest';
import { entry, expectCode, getText } from './state-store-builders.ts';
import type { StateStoreCase } from './state-store-harness.ts';

const batch = (position: number, value = String(position)) => ({ position, put: [entry('a', value)], delete: [] });

export const ownershipCases: readonly StateStoreCase[] = [
  {
    name: 'refuses a commit of an earlier owner (epoch)',
    mutant: 'accepts an older epoch',
    async run({ openStore }) {
      const store = await openStore();
      const first = await store.open('t/0');
      await first.commit(undefined, batch(1));
      const second = await (await openStore()).open('t/0');
      expect(second.position).toBe(1);
      await expectCode(first.commit(1, batch(2)), 'FENCED');
      await second.commit(1, batch(2));
      await expectCode(first.commit(2, batch(3)), 'FENCED');
    },
  },
  {
    name: 'refuses a commit of an owner with the same epoch but another nonce',
    mutant: 'accepts another nonce',
    async run({ openStore, wipe }) {
      const store = await openStore();
      const first = await store.open('t/0');
      await first.commit(undefined, batch(1));
      await wipe();
      const second = await store.open('t/0');
      expect(second.epoch).toBe(first.epoch);
      await second.commit(undefined, batch(1));
      await expectCode(first.commit(1, batch(2)), 'FENCED');
      await second.commit(1, batch(2));
    },
  },
  {
    name: 'refuses a commit that expects another position',
    mutant: 'ignores the expected position',
    async run({ openStore }) {
      const state = await (await openStore()).open('t/0');
      await expectCode(state.commit(0, batch(1)), 'FENCED');
      await state.commit(undefined, batch(1));
      await expectCode(state.commit(undefined, batch(2)), 'FENCED');
      await expectCode(state.commit(2, batch(2)), 'FENCED');
      await state.commit(1, batch(2));
    },
  },
  {
    name: 'refuses a commit after the store went back to an older copy',
    mutant: 'goes back while open',
    async run({ openStore, checkpoint }) {
      const state = await (await openStore()).open('t/0');
      await state.commit(undefined, batch(1));
      const goBack = await checkpoint();
      await state.commit(1, batch(2));
      await goBack();
      await expectCode(state.commit(2, batch(3)), 'FENCED');
      const reopened = await (await openStore()).open('t/0');
      expect(reopened.position).toBe(1);
    },
  },
  {
    name: 'refuses a commit after the store went back by a commit that left the position as it was',
    mutant: 'goes back by a commit at the same position',
    async run({ openStore, checkpoint }) {
      const state = await (await openStore()).open('t/0');
      await state.commit(undefined, batch(1, 'old'));
      const goBack = await checkpoint();
      await state.commit(1, batch(1, 'new'));
      await goBack();
      await expectCode(state.commit(1, batch(2)), 'FENCED');
    },
  },
  {
    name: 'refuses a commit after the store lost everything',
    mutant: 'begins anew after a loss',
    async run({ openStore, wipe }) {
      const state = await (await openStore()).open('t/0');
      await state.commit(undefined, batch(1));
      await wipe();
      await expectCode(state.commit(1, batch(2)), 'FENCED');
    },
  },
  {
    name: 'changes nothing by a refused commit',
    mutant: 'writes values of a refused commit',
    async run({ openStore }) {
      const store = await openStore();
      const state = await store.open('t/0');
      await state.commit(undefined, batch(1, 'kept'));
      const refused = await state
        .commit(7, { position: 8, put: [entry('a', 'lost'), entry('b', 'lost')], delete: [] })
        .then(
          () => false,
          () => true,
        );
      if (!refused) return; // that it is refused is another case's matter
      expect(await getText(state, 'a')).toBe('kept');
      expect(await getText(state, 'b')).toBeUndefined();
      expect((await store.open('t/0')).position).toBe(1);
    },
  },
];
