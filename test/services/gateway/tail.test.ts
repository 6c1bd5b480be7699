import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import { connect } from '../../../sdk/client/index.ts';
import { type Platform, startPlatform } from '../../../services/all-in-one/platform.ts';
import { millrace } from '../../cli/cli-driver.ts';

const directory = mkdtempSync(join(tmpdir(), 'millrace-tail-'));
let platform: Platform;
const tail = (...words: readonly string[]) => millrace(['tail', ...words, '--url', platform.url ?? '']);

interface Line {
  readonly partition: number;
  readonly offset: number;
  readonly type: string;
}

const linesOf = (out: string): Line[] =>
  out
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Line);

beforeAll(async () => {
  const flags = { directory, 'http.port': '0', 'log.level': 'silent' };
  platform = await startPlatform({ configuration: resolveConfiguration({ flags }), only: ['gateway'] });
  await platform.ready();
  const client = connect({ url: platform.url ?? '' });
  for (let i = 0; i < 4; i++) await client.trigger('nobody-waits', { i });
});
afterAll(async () => {
  await platform.close();
  rmSync(directory, { recursive: true, force: true });
});

describe('`millrace tail`', () => {
  it('begins at one record, as a line of it names it', async () => {
    const { out } = await tail('operations', '--from-beginning', '--limit', '4', '--json');
    const all = linesOf(out);
    const [, , third] = all;
    const place = `${third?.partition}@${third?.offset}`;
    const from = await tail('operations', '--from', place, '--limit', '2', '--json');
    expect(linesOf(from.out)).toEqual(all.slice(2));
    expect((await tail('operations', '--from', place, '--limit', '1')).out).toContain(` ${place} operation-recorded `);
  });

  it.each([
    [['operations', '--from', '9@0'], 'operations has partitions 0 to 2, not 9'],
    [['operations', '--from', '0@99'], 'there is nothing at 99 yet'],
    [
      ['operations', '--from', 'yesterday'],
      "--from must be <partition>@<offset>, as tail prints it, and not beside --from-beginning; got 'yesterday'",
    ],
    [['operations', '--limit', 'all'], "--limit must be a whole number from 1, got 'all'"],
    [['predctions'], "Did you mean 'predictions'?"],
    [['triggers'], "'triggers' is open"],
  ])('refuses %j', async (words, says) => {
    const { code, out, err } = await tail(...words);
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(says);
  });

  it('ends when the gateway refuses it, and says why', async () => {
    const flags = { directory: `${directory}-2`, 'http.port': '0', 'log.level': 'silent', 'http.token': 'open sesame' };
    const other = await startPlatform({ configuration: resolveConfiguration({ flags }), only: ['gateway'] });
    try {
      const { code, err } = await millrace(['tail', 'operations', '--url', other.url ?? '']);
      expect(code, err).toBe(4);
    } finally {
      await other.close();
      rmSync(`${directory}-2`, { recursive: true, force: true });
    }
  });
});
