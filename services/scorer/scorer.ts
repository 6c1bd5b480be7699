/**
 * Judges complete windows by the detectors of their deployment, and fits those that go row by row, in worker threads. What cannot be
 * judged is said too, with the reason. Ids follow from the window and the detector, so a window that is judged twice has one verdict.
 */
import { moduleForChild } from '../../runtime/adapters/child-module.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service } from '../../runtime/engine/service.ts';
import { hasCode, messageOf } from '../../runtime/ports/errors.ts';
import { methodOf } from '../../schemas/detector-methods.ts';
import { type Detector, detectorsOf } from '../../schemas/detectors.ts';
import type { DeploymentDocument } from '../../schemas/deployment-document.ts';
import { derivedId } from '../../schemas/derived-ids.ts';
import type { Column, DetectorFitted, ObservationsSampled, WindowClosed } from '../../schemas/events.ts';
import { seedOf } from '../../topologies/online-drift/methods.ts';
import type { NumberColumn } from './compared-columns.ts';
import { DeploymentDocuments } from './deployment-documents.ts';
import { findingOf, notAssessed } from './findings.ts';
import { References } from './references.ts';
import { rowPositions } from './row-positions.ts';
import { sayAsTheyCome } from './say-as-they-come.ts';
import type { ScoreAnswer, ScoreTask } from './score-thread.ts';
import { runPatiently, WorkerPool } from './worker-pool.ts';

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
    waitingMax: 10_000,
  });
  const judge = new Judge(runtime, documents, pool);
  return {
    service: {
      name: 'scorer',
      inputs: ['observations'],
      outputs: ['drift', 'outliers', 'observations'],
      summary: 'computes drift and outliers of complete windows in worker threads, fits detectors',
      // A window may be large.
      batchRecords: 100,
      // references that are taken from the stream
      keeps: true,
      async handle(batch, task) {
        // A thread takes its time to start: it is there when the first window of these rows is complete.
        if (!task.again && batch.some(({ event }) => event?.type === 'observations-sampled')) pool.warm();
        const references = new References(task, runtime.parts.blobs);
        const verdicts: Promise<Judged>[] = [];
        // One after the other up to here, because a window may be what a later one is compared with; the computing goes on beside it.
        for (const { event } of batch) {
          const asked = [
            ...(event?.type === 'window-closed' ? await judge.window(event.data, references) : []),
            ...(event?.type === 'observations-sampled' ? await judge.rows(event.data, references) : []),
          ];
          // What was judged before has its verdicts on the log: only the references are kept again.
          if (!task.again) verdicts.push(...asked.map((begin) => begin()));
        }
        const { all, rest } = await sayAsTheyCome(verdicts, {
          clock: runtime.parts.clock,
          say: (outputs) => runtime.publish(outputs),
        });
        const counted = (what: Judged['what']): number => all.filter((judged) => judged.what === what).length;
        return {
          outputs: rest,
          put: references.changes,
          count: {
            windowsAssessed: counted('assessed'),
            windowsNotAssessed: counted('not-assessed'),
            detectorsFitted: counted('fitted'),
          },
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
  readonly what: 'assessed' | 'not-assessed' | 'fitted';
  readonly outputs: readonly IdentifiedOutput[];
}

/** Begins to compute. */
type Asked = () => Promise<Judged>;

/** Keeps the references of what it is shown, in order, and answers what is to be computed. */
class Judge {
  readonly #runtime: Runtime;
  readonly #documents: DeploymentDocuments;
  readonly #pool: WorkerPool<ScoreTask, ScoreAnswer>;

  constructor(runtime: Runtime, documents: DeploymentDocuments, pool: WorkerPool<ScoreTask, ScoreAnswer>) {
    this.#runtime = runtime;
    this.#documents = documents;
    this.#pool = pool;
  }

  async window(window: WindowClosed, references: References): Promise<readonly Asked[]> {
    const { deployment, deploymentVersion, stream } = window;
    const no =
      (detector: string, reason: string): Asked =>
      () =>
        Promise.resolve({ what: 'not-assessed', outputs: [notAssessed(window, detector, reason)] });
    const document = await this.#documents.find(deployment, deploymentVersion);
    if (document === undefined) return [no('', `deployment '${deployment}' has no version ${deploymentVersion}`)];
    const own = detectorsOf(document).filter((detector) => detector.stream === stream);
    const detectors = own.filter(({ window: { id } }) => id === window.window);
    if (window.role === 'reference') {
      const hash = await references.keepFirst(window);
      const rowWise = detectors.filter(({ method, reference }) => isRowWise(method) && reference?.kind === 'first');
      return rowWise.map((detector) => () => this.#fitted(window, document, detector, hash));
    }
    const judging = detectors.filter(({ method }) => !isRowWise(method));
    if (judging.length === 0) {
      return own.length === 0 ? [no('', 'the deployment names no reference sample and no detector')] : [];
    }
    const verdicts: Asked[] = [];
    for (const detector of judging) {
      const { fittedHash } = detector;
      const found = fittedHash === undefined ? await references.find(detector, window) : { hash: fittedHash };
      if (typeof found === 'string') verdicts.push(no(detector.name, found));
      else verdicts.push(() => this.#assessed(window, document, detector, found.hash));
    }
    const back = judging.map(({ reference }) => (reference?.kind === 'window' ? reference.back : 0));
    const most = Math.max(...back);
    if (most > 0 && window.rows > 0) await references.keepWindow(window, most);
    return verdicts;
  }

  /** The first rows of a version: its detectors of rows may be fitted to the training data. */
  async rows(batch: ObservationsSampled, references: References): Promise<readonly Asked[]> {
    if (batch.online.length === 0) return [];
    const { deployment, deploymentVersion, stream } = batch;
    const key = `fitted/${deployment}/${deploymentVersion}/${stream}`;
    if ((await references.get<boolean>(key)) === true) return [];
    references.put(key, true);
    const document = await this.#documents.find(deployment, deploymentVersion);
    if (document === undefined) return [];
    return detectorsOf(document)
      .filter((detector) => batch.online.includes(detector.name) && detector.stream === stream)
      .filter(({ method, reference }) => !methodOf(method).needsReference || reference?.kind !== 'first')
      .map((detector) => {
        const { reference, method } = detector;
        const hash = methodOf(method).needsReference && reference?.kind === 'artifact' ? reference.hash : '';
        return () => this.#fitted(batch, document, detector, hash);
      });
  }

  async #assessed(
    window: WindowClosed,
    { features }: DeploymentDocument,
    detector: Detector,
    referenceHash: string,
  ): Promise<Judged> {
    const { windowId, rows } = window;
    const asked = {
      ...{ windowId, rows, features },
      columns: forThread(window.columns),
      outputs: forThread(window.outputs),
      ...(methodOf(detector.method).finds === 'outliers'
        ? { predictionIds: window.predictionIds, rowsOfPrediction: rowPositions(window.sources).map(({ row }) => row) }
        : { predictionIds: [] }),
    };
    const answer = await this.#run({ does: 'score', detector, referenceHash, window: asked });
    return typeof answer === 'string' || answer.type !== 'scored'
      ? { what: 'not-assessed', outputs: [notAssessed(window, detector.name, reasonOf(answer))] }
      : { what: 'assessed', outputs: [findingOf(window, detector, referenceHash, answer.score)] };
  }

  async #fitted(
    of: ObservationsSampled | WindowClosed,
    { features }: DeploymentDocument,
    detector: Detector,
    referenceHash: string,
  ): Promise<Judged> {
    const { deployment, deploymentVersion, stream, columns, outputs } = of;
    const seed = seedOf(deployment, deploymentVersion, detector.name);
    const rows = { columns, outputs, features };
    // A fit is for as long as the version: what failed because the machine was busy must not turn the detector off.
    const answer = await this.#run({ does: 'fit', detector, referenceHash, rows, seed }, runPatiently);
    const fit = typeof answer === 'string' || answer.type !== 'fitted' ? '' : JSON.stringify(answer.fit);
    const fitHash = fit === '' ? '' : (await this.#runtime.parts.blobs.put(Buffer.from(fit))).hash;
    const reason = fit === '' ? reasonOf(answer) : '';
    const about = { deployment, deploymentVersion, detector: detector.name };
    const data: DetectorFitted = { ...about, stream, fit, fitHash, referenceHash, reason };
    // The same for every run of the same version, whichever batch was the first.
    const id = derivedId(0, 'fitted', deployment, deploymentVersion, stream, detector.name);
    const said: IdentifiedOutput = { topic: 'observations', type: 'detector-fitted', data, key: deployment, id };
    if (fit !== '') return { what: 'fitted', outputs: [said] };
    const window = { ...about, windowId: id, rows: 0, closedAt: 0 };
    return { what: 'not-assessed', outputs: [said, notAssessed(window, detector.name, reason)] };
  }

  /** The answer, or the reason why there is none. Only what may be better later is thrown. */
  async #run(task: ScoreTask, run: typeof runPatiently = runOnce): Promise<ScoreAnswer | string> {
    const { referenceHash, detector } = task;
    const what = detector.fittedHash === undefined ? 'the reference sample' : 'the fitted detector';
    try {
      const answer = await run(this.#pool, task);
      if (answer.type !== 'reference-needed') return answer;
      return await run(this.#pool, { ...task, reference: await this.#runtime.parts.blobs.get(referenceHash) });
    } catch (error) {
      if (hasCode(error, 'UNAVAILABLE', 'CLOSED')) throw error;
      if (hasCode(error, 'NOT_FOUND')) return `there is no blob ${referenceHash}, ${what}`;
      return messageOf(error);
    }
  }
}

const runOnce: typeof runPatiently = (pool, task) => pool.run(task);

function reasonOf(answer: ScoreAnswer | string): string {
  if (typeof answer === 'string') return answer;
  return answer.type === 'not-assessable' ? answer.reason : 'the worker did not take the reference sample';
}

function isRowWise(method: Detector['method']): boolean {
  return methodOf(method).runs === 'row';
}

function forThread(columns: readonly Column[]): readonly NumberColumn[] {
  return columns.map(({ name, values }) => ({ name, values: new Float64Array(values) }));
}
