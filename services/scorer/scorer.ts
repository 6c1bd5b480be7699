/**
 * Judges complete windows against the training data, in worker threads: drift per feature, and outlying rows. What cannot be judged is
 * said too, with the reason. Ids follow from the window, so a window that is judged twice has one verdict.
 */
import { moduleForChild } from '../../runtime/adapters/child-module.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service } from '../../runtime/engine/service.ts';
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import type { DeploymentDocument } from '../../schemas/deployment-document.ts';
import { derivedId } from '../../schemas/derived-ids.ts';
import type { WindowClosed } from '../../schemas/events.ts';
import { DeploymentDocuments } from './deployment-documents.ts';
import type { ScoreAnswer, ScoreTask } from './score-thread.ts';
import type { WindowScore } from './score-window.ts';
import { WorkerPool } from './worker-pool.ts';

export interface ScorerOptions {
  readonly runtime: Runtime;
  /** Worker threads. @default 1 */
  readonly workers?: number | undefined;
  /** Longest computation of one window. @default 30000 */
  readonly timeoutMs?: number | undefined;
  /** Heap of one worker thread. @default 512 */
  readonly memoryMb?: number | undefined;
}

export interface Scorer {
  /** For `runtime.runService`. */
  readonly service: Service<'observations'>;
  close(): Promise<void>;
}

export async function createScorer(options: ScorerOptions): Promise<Scorer> {
  const { runtime, workers = 1, timeoutMs = 30_000, memoryMb = 512 } = options;
  const documents = await DeploymentDocuments.open(runtime);
  const pool = new WorkerPool<ScoreTask, ScoreAnswer>({
    module: moduleForChild('services/scorer/score-thread'),
    workers,
    timeoutMs,
    memoryMb,
    waitingMax: 1_000,
  });
  const judge = async (window: WindowClosed): Promise<Judged> => await judged(window, runtime, documents, pool);
  return {
    service: {
      name: 'scorer',
      inputs: ['observations'],
      outputs: ['drift', 'outliers'],
      summary: 'computes drift and outliers of complete windows in worker threads',
      // A window may be large.
      batchRecords: 100,
      async handle(batch) {
        const windows = batch.flatMap(({ event }) => (event?.type === 'window-closed' ? [event.data] : []));
        const all = await Promise.all(windows.map(judge));
        const assessed = all.filter(({ isAssessed }) => isAssessed).length;
        return {
          outputs: all.flatMap(({ outputs }) => outputs),
          count: { windowsAssessed: assessed, windowsNotAssessed: all.length - assessed },
        };
      },
    },
    close: async () => {
      await pool.close();
      await documents.close();
    },
  };
}

interface Judged {
  readonly outputs: readonly IdentifiedOutput[];
  readonly isAssessed: boolean;
}

async function judged(
  window: WindowClosed,
  runtime: Runtime,
  documents: DeploymentDocuments,
  pool: WorkerPool<ScoreTask, ScoreAnswer>,
): Promise<Judged> {
  const { deployment, deploymentVersion } = window;
  const document = await documents.find(deployment, deploymentVersion);
  if (document === undefined)
    return notAssessed(window, `deployment '${deployment}' has no version ${deploymentVersion}`);
  const { referenceHash } = document.monitors;
  if (referenceHash === undefined) return notAssessed(window, 'the deployment names no reference sample');
  const answer = await scored(window, document, referenceHash, runtime, pool);
  return typeof answer === 'string' ? notAssessed(window, answer) : verdicts(window, document, referenceHash, answer);
}

/** The score, or the reason why there is none. Only what may be better later is thrown. */
async function scored(
  window: WindowClosed,
  { features, monitors }: DeploymentDocument,
  referenceHash: string,
  runtime: Runtime,
  pool: WorkerPool<ScoreTask, ScoreAnswer>,
): Promise<WindowScore | string> {
  const { rows, columns, predictionIds } = window;
  const task: ScoreTask = { window: { rows, columns, predictionIds, features, monitors }, referenceHash };
  try {
    let answer = await pool.run(task);
    if (answer.type === 'reference-needed') {
      answer = await pool.run({ ...task, reference: await runtime.parts.blobs.get(referenceHash) });
    }
    if (answer.type === 'scored') return answer.score;
    return answer.type === 'not-assessable' ? answer.reason : 'the worker did not take the reference sample';
  } catch (error) {
    if (hasCode(error, 'UNAVAILABLE', 'CLOSED')) throw error;
    if (hasCode(error, 'NOT_FOUND')) return `there is no blob ${referenceHash}, the reference sample`;
    return messageOf(error);
  }
}

function notAssessed(window: WindowClosed, reason: string): Judged {
  const { deployment, deploymentVersion, windowId, rows, closedAt } = window;
  const data = { deployment, deploymentVersion, windowId, rows, reason };
  const id = derivedId(closedAt, 'drift', windowId);
  return {
    outputs: [{ topic: 'drift', type: 'drift-not-assessed', data, key: deployment, id }],
    isAssessed: false,
  };
}

function verdicts(
  window: WindowClosed,
  { monitors }: DeploymentDocument,
  referenceHash: string,
  { drift, outliers }: WindowScore,
): Judged {
  const { deployment, deploymentVersion, windowId, rows, sources, closedAt } = window;
  const about = { deployment, deploymentVersion, windowId, referenceHash, rows };
  const outputs: IdentifiedOutput[] = [];
  if (drift !== undefined && monitors.drift !== undefined) {
    const data = { ...about, ...monitors.drift, ...drift, detector: 'tabular-drift', sources };
    const id = derivedId(closedAt, 'drift', windowId);
    outputs.push({ topic: 'drift', type: 'drift-assessed', data, key: deployment, id });
  }
  if (outliers !== undefined && monitors.outliers !== undefined) {
    const data = { ...about, ...monitors.outliers, ...outliers, detector: 'mahalanobis' };
    const id = derivedId(closedAt, 'outliers', windowId);
    outputs.push({ topic: 'outliers', type: 'outliers-assessed', data, key: deployment, id });
  }
  return { outputs, isAssessed: true };
}
