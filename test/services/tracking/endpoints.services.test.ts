/** Every call that MLflow's own server routes is answered here, but for those of traces, prompts and its language-model gateway. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { mlflowPython } from './mlflow-server.ts';
import { openTracking, type TrackingFixture } from './tracking-fixture.ts';

const run = promisify(execFile);
const program = `
import mlflow.server.handlers as handlers
for path, _, methods in handlers.get_endpoints():
    for method in methods:
        print(method, path)
`;
/** Of other products than tracking and registry, or of MLflow's own screen. */
const others =
  /\/(?:traces|get-trace|get-online-trace|unified-traces|scorers?|gateway|prompt-optimization|jobs?|demo|genai|issues|assistant|workspaces|guardrail|budget|secrets|labeling|review-queues?|datasets|endpoints?|graphql|ui-telemetry|label-schemas?|evaluation|trace-metrics|assessments?)/;

let fixture: TrackingFixture;
beforeAll(async () => {
  fixture = await openTracking();
}, 60_000);
afterAll(() => fixture.close());

it('answers the calls of MLflow 3.17.2', async () => {
  const { stdout } = await run(await mlflowPython(), ['-c', program], { maxBuffer: 16 * 1024 ** 2 });
  const wanted = stdout.split('\n').filter((line) => / \/(?:ajax-)?api\//.test(line) && !others.test(line));
  expect(wanted.length).toBeGreaterThan(120);
  const missing: string[] = [];
  for (const line of wanted) {
    const [method = '', path = ''] = line.split(' ');
    // One is routed without a slash, beside the path that the screen asks.
    const url = path.replace('2.0mlflow', '2.0/mlflow').replace(/<[^>]+>/g, 'x');
    const { body } = await fixture.call(method, url);
    if (body.error_code === 'ENDPOINT_NOT_FOUND' || body.code === 'NOT_FOUND') missing.push(line);
  }
  expect(missing).toEqual([]);
}, 120_000);
