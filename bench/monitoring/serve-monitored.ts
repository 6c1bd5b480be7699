/** The whole platform with its default settings, and `iris` deployed with drift and outliers of its four features watched. */
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { resolveConfiguration } from '../../runtime/config/resolve.ts';
import { eventually } from '../../runtime/testing/index.ts';
import { startPlatform } from '../../services/all-in-one/platform.ts';
import { referenceBytes } from '../../services/scorer/reference-sample.ts';
import { irisDocument, irisModel } from '../serving/serving-bench.ts';
import { columnsOf, monitors } from './monitored-deployment.ts';

export async function serveMonitored(): Promise<{ readonly url: string }> {
  const directory = await mkdtemp(join(tmpdir(), 'millrace-bench-'));
  const configuration = resolveConfiguration({ flags: { directory, 'http.port': '0', 'log.level': 'warn' } });
  const { runtime, url, ready } = await startPlatform({ configuration });
  await ready();
  const { blobs } = runtime.parts;
  const { hash } = await blobs.put(await readFile(irisModel));
  const { hash: referenceHash } = await blobs.put(referenceBytes(columnsOf(1_000).slice(0, 4), []));
  const outliers = { falsePositiveRate: 0.01 };
  const plain = JSON.parse(irisDocument(hash, 1)) as object;
  const features = columnsOf(1)
    .slice(0, 4)
    .map(({ name }) => ({ name, kind: 'numeric' }));
  const document = JSON.stringify({ ...plain, features, monitors: { ...monitors, outliers, referenceHash } });
  const data = { deployment: 'iris', requestId: 'iris', document, actor: 'bench' };
  await runtime.publish([{ topic: 'deployment-events', type: 'deploy-requested', data, key: 'iris', id: 'iris' }]);
  let refused: string | undefined;
  const events = await runtime.follow('deployment-events', {
    from: 'earliest',
    onEvent: ({ type, data }) => void (type === 'deployment-refused' && (refused = data.reason)),
  });
  const asked = `${url ?? ''}/v2/models/iris/ready`;
  const isServed = async (): Promise<boolean> => {
    if (refused !== undefined) throw new Error(`the deployment was refused: ${refused}`);
    return (await fetch(asked)).ok;
  };
  await eventually('iris is served', isServed, 60_000);
  await events.close();
  return { url: url ?? '' };
}
