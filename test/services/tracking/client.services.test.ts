/** The unmodified Python clients, the newest 3.x and 2.17, against a whole platform: what `wine_client.py` does and finds. */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { homedir, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { resolveConfiguration } from '../../../runtime/config/resolve.ts';
import { eventually } from '../../../runtime/testing/index.ts';
import { connect, deployment } from '../../../sdk/index.ts';
import { type Platform, startPlatform } from '../../../services/all-in-one/platform.ts';
import { millrace } from '../../cli/cli-driver.ts';

const run = promisify(execFile);
const script = fileURLToPath(new URL('./wine_client.py', import.meta.url));
const data = fileURLToPath(new URL('../../../examples/wine/wine-quality.csv', import.meta.url));
const tools = process.env['MILLRACE_TOOLS'] ?? join(homedir(), '.cache', 'millrace');

const versions = [
  ['3.17.2', ['scikit-learn', 'pandas', 'scipy', 'onnx', 'onnxruntime']],
  ['2.17.2', ['scikit-learn', 'pandas<3', 'scipy', 'sqlalchemy<2.1', 'setuptools<81', 'onnx', 'onnxruntime']],
] as const;

let platform: Platform;
let directory: string;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'millrace-mlflow-'));
  const flags = { directory, 'http.port': '0' };
  platform = await startPlatform({ configuration: resolveConfiguration({ environment: {}, flags }) });
  await platform.ready();
}, 120_000);
afterAll(async () => {
  await platform.close();
  await rm(directory, { recursive: true, force: true });
});

/** Python with the client, made once and kept. */
async function python(version: string, packages: readonly string[]): Promise<string> {
  const folder = join(tools, `mlflow-client-${version}`);
  const program = join(folder, 'bin', 'python');
  if (!existsSync(join(folder, 'bin', 'mlflow'))) {
    await run('python3', ['-m', 'venv', folder]);
    await run(program, ['-m', 'pip', 'install', '--quiet', `mlflow-skinny==${version}`, ...packages]);
  }
  return program;
}

it.each(versions)(
  'mlflow %s logs, compares, registers and loads models; nests, fails and logs by itself; fifty at once',
  async (version, packages) => {
    const env = {
      ...process.env,
      MLFLOW_DISABLE_TELEMETRY: 'true',
      MLFLOW_TRACKING_URI: platform.url,
      MLFLOW_HTTP_REQUEST_MAX_RETRIES: '1',
      MLFLOW_ENABLE_PROXY_MULTIPART_UPLOAD: 'true',
      MLFLOW_ENABLE_PROXY_MULTIPART_DOWNLOAD: 'true',
      MLFLOW_MULTIPART_UPLOAD_MINIMUM_FILE_SIZE: '2000000',
      MLFLOW_MULTIPART_UPLOAD_CHUNK_SIZE: '1000000',
      MLFLOW_MULTIPART_DOWNLOAD_CHUNK_SIZE: '1000000',
    };
    const { stdout } = await run(await python(version, packages), [script, data], { env, maxBuffer: 64 * 1024 * 1024 });
    const facts = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as {
      metrics: Record<string, number[]>;
      question: { row: number[]; gentle: number; truth: number };
    };
    const { metrics, question, ...rest } = facts;
    const published = {
      'wine-a': [0.7792546522251949, 0.6112547988118587, 0.2157063843066196],
      'wine-b': [0.8107373707184711, 0.6241295925236751, 0.15105362812007328],
    };
    for (const [name, values] of Object.entries(published)) {
      values.forEach((value, index) => expect(metrics[name]?.[index], name).toBeCloseTo(value, 5));
    }
    expect(rest).toEqual({
      version,
      best: 'wine-a',
      artifacts: version.startsWith('2') ? ['model', 'notes'] : ['notes'],
      notes: ['notes/features.json'],
      features: 11,
      'same predictions': true,
      champion: ['2', 'the better one', { checked: 'yes' }, ['champion']],
      stages: { 1: 'Archived', 2: 'Production' },
      aliases: {},
      'found models': [`wine-${version.replaceAll('.', '-')}`],
      children: ['child 0', 'child 1', 'child 2'],
      failed: 'FAILED',
      autolog: ['0.3', true, 1],
      onnx: true,
      'in parts': true,
      parallel: 1_000,
      'parallel runs': 50,
    });
    // What a client has registered is deployed as it is: both models side by side, asked, and rewarded by the truth.
    const client = connect({ url: platform.url });
    const [model, name] = [`wine-onnx-${version.replaceAll('.', '-')}`, `wine-ab-${version.replaceAll('.', '-')}`];
    await client.deploy(
      deployment(name)
        .route('gentle', `models:/${model}@gentle`, { weight: 1 })
        .route('strong', `models:/${model}@strong`, { weight: 1 })
        .output('quality')
        .feedback({ windowMs: 600_000, reward: 'negative-squared-error' })
        .bandit({ updateEvery: 20 }),
    );
    const routes = new Set<string>();
    for (let asked = 0; asked < 40; asked++) {
      const answer = await client.predict(name, { rows: [question.row] }, { entity: `wine ${asked}` });
      routes.add(answer.route);
      if (answer.route === 'gentle') expect(Number(answer.outputs[0]?.data[0])).toBeCloseTo(question.gentle, 4);
      await client.feedback({ predictionId: answer.predictionId, truth: question.truth });
    }
    expect([...routes].sort()).toEqual(['gentle', 'strong']);
    const rewards = await eventually('all are rewarded', async () => {
      const { evidence } = await client.routing.show(name);
      const sum = evidence.reduce((total, each) => total + each.rewards, 0);
      return sum >= 40 ? sum : undefined;
    });
    expect(rewards).toBe(40);
    expect(await client.models.card(model, 'gentle')).toMatchObject({
      deployments: [{ deployment: name, route: 'gentle' }],
    });
  },
  400_000,
);

it.each(versions)(
  'mlflow %s in a step of a flow logs to the run of the flow, with nothing set up',
  async (version, packages) => {
    const file = fileURLToPath(new URL('./mlflow-flow.ts', import.meta.url));
    const words = ['run', file, '--python', await python(version, packages), '--url', platform.url ?? '', '--json'];
    const { out, err } = await millrace(words);
    const { run: ended } = JSON.parse(out.trimEnd().split('\n').at(-1) ?? '{}') as {
      run: { runId: string; status: string };
    };
    expect(ended.status, out + err).toBe('completed');
    const client = connect({ url: platform.url });
    const tracked = await eventually('the run is finished', async () => {
      const shown = await client.tracking.run(ended.runId);
      return shown.status === 'FINISHED' ? shown : undefined;
    });
    expect(tracked).toMatchObject({
      params: { depth: '3' },
      metrics: { loss: 0.2 },
      tags: { 'millrace.flow': 'with-mlflow' },
    });
    expect(Buffer.from(await client.tracking.artifact(ended.runId, 'notes/why.txt')).toString()).toBe('because');
  },
  400_000,
);
