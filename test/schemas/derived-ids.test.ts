/** What is on logs was written under these ids: the formulas stay. Expected are what `printf 'a\0b' | sha256sum` prints. */
import { expect, it } from 'vitest';
import { idOf, runIdOfKey } from '../../schemas/derived-ids.ts';
import { deliveryIdOf } from '../../services/egress/webhook-request.ts';

it('names a tracked run by the key of its program', () => {
  expect(runIdOfKey('wine-1')).toBe('8da0626ef4134b3a9e773b40c02b066f');
});

it('names a delivery by topic and event', () => {
  expect(deliveryIdOf({ topic: 'predictions', id: 'abc' })).toBe('msg_3fc6f57e9e6ed80bb414be032d98e99c');
});

it('keeps parts apart, numbers like their digits', () => {
  expect(idOf('again', 'mine', 'msg_1', 1_700_000_000_000)).toBe('ab7922be64cb2169b2b29e47502130ec');
  expect(idOf('ab', 'c')).not.toBe(idOf('a', 'bc'));
});
