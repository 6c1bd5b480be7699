import { spawn } from 'node:child_process';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { serviceAddress } from '../services/service-address.ts';
import { everyEvent } from './lineage-fixture.ts';

const python = serviceAddress('MILLRACE_TEST_PYTHON', 'clients-up.sh');

async function verdicts(events: readonly object[]): Promise<readonly string[]> {
  const child = spawn(python.address, [fileURLToPath(new URL('./open_lineage.py', import.meta.url))], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  child.stdin.end(events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  return (await text(child.stdout)).trimEnd().split('\n');
}

describe.skipIf(python.missing)('OpenLineage events and the official client', () => {
  it('are events of its version of the specification, each facet included', async () => {
    const events = await everyEvent();
    expect(await verdicts(events)).toEqual(events.map(() => 'ok'));
  });

  it('are refused by it when they are wrong', async () => {
    const [event] = await everyEvent();
    if (event === undefined) throw new Error('there is no event');
    const { run, ...rest } = event;
    const wrong = [
      { ...rest, run: { ...run, runId: 'r1' } },
      { ...event, eventType: 'DONE' },
      { ...event, eventTime: 'today' },
      { ...rest, run: { ...run, facets: { errorMessage: { _producer: 'urn:x', _schemaURL: 'urn:y' } } } },
    ];
    for (const verdict of await verdicts(wrong)) expect(verdict).not.toBe('ok');
  });
});
