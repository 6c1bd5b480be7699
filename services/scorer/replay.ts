/**
 * A drift finding computed again from what it names: the rows at their positions on the log, the reference and the fit by hash, the
 * document of its deployment's version. Nothing that was remembered in between is used.
 */
import { moduleForChild } from '../../runtime/adapters/child-module.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { messageOf, MillraceError } from '../../runtime/ports/errors.ts';
import type { DriftReplay, ShownDrift } from '../../schemas/api/findings.ts';
import type { FeatureSpec } from '../../schemas/deployment-document.ts';
import { type Detector, detectorsOf } from '../../schemas/detectors.ts';
import type { DriftAssessed, FeatureDrift } from '../../schemas/events.ts';
import { columnsOf, type Fit, noPeak, type Running, takeRow } from '../../topologies/online-drift/run.ts';
import { comparedColumns } from './compared-columns.ts';
import { DeploymentDocuments } from './deployment-documents.ts';
import { distributionOf } from './distribution.ts';
import { type ObservedRows, readRows } from './observed-rows.ts';
import { parseReference } from './reference-sample.ts';
import type { ScoreAnswer, ScoreTask } from './score-thread.ts';
import { WorkerPool } from './worker-pool.ts';

export interface FindingPlace {
  readonly partition: number;
  readonly offset: number;
}

export interface FindingReplays {
  show(place: FindingPlace): Promise<ShownDrift>;
  replay(place: FindingPlace): Promise<DriftReplay>;
  close(): Promise<void>;
}

/** NOT_FOUND when what a finding names is not there any more. */
export async function createReplays(runtime: Runtime): Promise<FindingReplays> {
  const documents = await DeploymentDocuments.open(runtime);
  const pool = new WorkerPool<ScoreTask, ScoreAnswer>({
    module: moduleForChild('services/scorer/score-thread'),
    workers: 1,
    timeoutMs: 60_000,
    memoryMb: 512,
    waitingMax: 100,
  });
  return {
    show: async (place) => {
      const finding = await findingAt(runtime, place);
      try {
        const { detector, rows, features } = await evidence(runtime, documents, finding);
        if (finding.referenceHash === '') return { finding, distributions: [], problem: 'it has no reference' };
        const reference = parseReference(await runtime.parts.blobs.get(finding.referenceHash));
        const compared = new Set(finding.features.map(({ name }) => name));
        const columns = comparedColumns(detector, { ...rows, features }, reference);
        const shown = compared.has('*') ? columns : columns.filter(({ name }) => compared.has(name));
        const labels = new Map(features.map(({ name, categories }) => [name, categories]));
        const distributions = shown.map((column) => distributionOf(column, labels.get(column.name)));
        return { finding, distributions, problem: null };
      } catch (error) {
        return { finding, distributions: [], problem: messageOf(error) };
      }
    },
    replay: async (place) => {
      const finding = await findingAt(runtime, place);
      const { detector, rows, features } = await evidence(runtime, documents, finding);
      const replayed =
        finding.fitHash === ''
          ? await scoredAgain(runtime, pool, finding, detector, rows, features)
          : await steppedAgain(runtime, finding, rows);
      const { features: recorded, method } = finding;
      return {
        findingId: finding.findingId,
        detector: detector.name,
        method,
        rows: rows.predictionIds.length,
        same: isSame(recorded, replayed),
        recorded,
        replayed,
      };
    },
    close: async () => {
      await pool.close();
      await documents.close();
    },
  };
}

async function findingAt(runtime: Runtime, { partition, offset }: FindingPlace): Promise<DriftAssessed> {
  const from = { topic: runtime.topic('drift'), partition };
  for await (const records of runtime.parts.log.read(from, { from: offset, to: offset + 1 })) {
    for (const record of records) {
      if (record.offset !== offset) continue;
      const event = await runtime.decode('drift', record);
      if (event.type === 'drift-assessed') return event.data;
      const why =
        event.type === 'drift-not-assessed' ? `the window was not assessed: ${event.data.reason}` : event.type;
      throw new MillraceError('INVALID_ARGUMENT', `drift/${partition}@${offset} is no finding: ${why}`);
    }
  }
  throw new MillraceError('NOT_FOUND', `the finding at drift/${partition}@${offset} is not on the log any more`);
}

interface Evidence {
  readonly detector: Detector;
  readonly rows: ObservedRows;
  readonly features: readonly FeatureSpec[];
}

async function evidence(runtime: Runtime, documents: DeploymentDocuments, finding: DriftAssessed): Promise<Evidence> {
  const { deployment, deploymentVersion } = finding;
  const document = await documents.find(deployment, deploymentVersion);
  const detector = document && detectorsOf(document).find(({ name }) => name === finding.detector);
  if (document === undefined || detector === undefined) {
    const what = `detector '${finding.detector}' of ${deployment}, version ${deploymentVersion}`;
    throw new MillraceError('NOT_FOUND', `${what} is not on the log any more`);
  }
  const { sources, stream } = finding;
  return { detector, features: document.features, rows: await readRows(runtime, stream, sources) };
}

async function scoredAgain(
  runtime: Runtime,
  pool: WorkerPool<ScoreTask, ScoreAnswer>,
  { windowId, referenceHash }: DriftAssessed,
  detector: Detector,
  { columns, outputs, predictionIds, rowsOfPrediction }: ObservedRows,
  features: readonly FeatureSpec[],
): Promise<readonly FeatureDrift[]> {
  const reference = referenceHash === '' ? undefined : await runtime.parts.blobs.get(referenceHash);
  const window = { windowId, rows: predictionIds.length, columns, outputs, predictionIds, rowsOfPrediction, features };
  const answer = await pool.run({
    does: 'score',
    detector,
    referenceHash,
    window,
    ...(reference === undefined ? {} : { reference }),
  });
  if (answer.type === 'scored' && answer.score.finds === 'drift') return answer.score.features;
  throw new MillraceError(
    'INVALID_ARGUMENT',
    answer.type === 'not-assessable' ? answer.reason : 'the detector does not find drift',
  );
}

async function steppedAgain(
  runtime: Runtime,
  finding: DriftAssessed,
  rows: ObservedRows,
): Promise<readonly FeatureDrift[]> {
  const fit = JSON.parse(Buffer.from(await runtime.parts.blobs.get(finding.fitHash)).toString('utf8')) as Fit;
  const columns = columnsOf(fit, rows);
  if (columns === undefined) throw new MillraceError('INVALID_ARGUMENT', 'the rows have other columns than the fit');
  const states = JSON.parse(finding.startState) as readonly unknown[];
  let running: Running = { states, peaks: states.map(() => noPeak) };
  for (let row = 0; row < rows.predictionIds.length; row++) {
    const cells = columns.map((values) => values[row] ?? Number.NaN);
    running = takeRow(fit, running, cells);
  }
  return finding.features.map((feature, index) => {
    const { alarm, ...peak } = running.peaks[index] ?? noPeak;
    return { ...feature, ...peak, drifted: alarm };
  });
}

const numbers = ['statistic', 'pValue', 'effectSize', 'threshold', 'psi'] as const;

function isSame(recorded: readonly FeatureDrift[], replayed: readonly FeatureDrift[]): boolean {
  return (
    recorded.length === replayed.length &&
    recorded.every((feature, index) => {
      const again = replayed[index];
      if (again?.name !== feature.name || again.drifted !== feature.drifted) return false;
      return numbers.every((name) => Object.is(feature[name], again[name]) || feature[name] === again[name]);
    })
  );
}
