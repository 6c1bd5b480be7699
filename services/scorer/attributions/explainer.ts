/**
 * Explains predictions in worker threads, off their path: somebody asks, or the deployment wants a share of them explained. What cannot
 * be explained is said too, with the reason. Ids follow from the question, so a question that is answered twice has one answer.
 */
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { moduleForChild } from '../../../runtime/adapters/child-module.ts';
import { StepFiles } from '../../../runtime/adapters/process-executor/step-files.ts';
import type { Runtime } from '../../../runtime/engine/runtime.ts';
import type { IdentifiedOutput, Service } from '../../../runtime/engine/service.ts';
import { hasCode, MillraceError, messageOf } from '../../../runtime/ports/errors.ts';
import { codeOfRoute } from '../../../schemas/deployment-document.ts';
import type { AttributionRequested, PredictionCompleted } from '../../../schemas/events.ts';
import type { AskedMethod } from '../../../schemas/explainers.ts';
import { DeploymentDocuments } from '../deployment-documents.ts';
import { WorkerPool } from '../worker-pool.ts';
import type { AttributionAnswer, AttributionTask, Explanation } from './attribution-task.ts';
import { predictionAt } from './prediction-at.ts';

export interface ExplainerOptions {
  readonly runtime: Runtime;
  /** Worker threads. @default 1 */
  readonly workers?: number | undefined;
  /** Longest computation of one explanation. @default 12000: a call that asks waits a little longer than that */
  readonly timeoutMs?: number | undefined;
  /** Heap of one worker thread. @default 512 */
  readonly memoryMb?: number | undefined;
}

export interface Explainer {
  /** For `runtime.runService`. */
  readonly service: Service<'attributions'>;
  close(): Promise<void>;
}

export async function createExplainer(options: ExplainerOptions): Promise<Explainer> {
  const { runtime, workers = 1, timeoutMs = 12_000, memoryMb = 512 } = options;
  const documents = await DeploymentDocuments.open(runtime);
  const pool = new WorkerPool<AttributionTask, AttributionAnswer>({
    module: moduleForChild('services/scorer/attributions/attribution-thread'),
    workers,
    timeoutMs,
    memoryMb,
    waitingMax: 10_000,
  });
  const questions = new Questions(runtime, documents, pool);
  return {
    service: {
      name: 'explainer',
      inputs: ['attributions'],
      outputs: ['attributions'],
      summary: 'explains predictions in worker threads: SHAP, permutation importance, anchors, counterfactuals',
      // Whoever asks waits for the questions before it in its batch.
      batchRecords: 10,
      async handle(batch) {
        const answers = await Promise.all(
          batch.flatMap(({ event }) => (event?.type === 'attribution-requested' ? [questions.answer(event.data)] : [])),
        );
        const refused = answers.filter(({ type }) => type === 'attribution-refused').length;
        return {
          outputs: answers,
          count: { attributionsComputed: answers.length - refused, attributionsRefused: refused },
        };
      },
    },
    close: async () => {
      await pool.close();
      await questions.close();
      await documents.close();
    },
  };
}

class Questions {
  readonly #runtime: Runtime;
  readonly #documents: DeploymentDocuments;
  readonly #pool: WorkerPool<AttributionTask, AttributionAnswer>;
  #files: Promise<StepFiles> | undefined;

  constructor(runtime: Runtime, documents: DeploymentDocuments, pool: WorkerPool<AttributionTask, AttributionAnswer>) {
    this.#runtime = runtime;
    this.#documents = documents;
    this.#pool = pool;
  }

  /** Rejects only with what may be better later. */
  async answer(request: AttributionRequested): Promise<IdentifiedOutput> {
    try {
      const prediction = await predictionAt(this.#runtime, request);
      const task = await this.#taskOf(request, prediction);
      return computed(request, prediction, task.referenceHash, await this.#run(task));
    } catch (error) {
      if (hasCode(error, 'UNAVAILABLE', 'CLOSED')) throw error;
      return refused(request, error);
    }
  }

  async close(): Promise<void> {
    await (await this.#files)?.close();
  }

  async #taskOf(request: AttributionRequested, prediction: PredictionCompleted): Promise<AttributionTask> {
    const { deployment, deploymentVersion, method, output, target, row } = request;
    if (prediction.withheld) {
      throw new MillraceError(
        'INVALID_ARGUMENT',
        `inputs of prediction ${request.predictionId} were not recorded, as its deployment wants it`,
      );
    }
    const document = await this.#documents.find(deployment, deploymentVersion);
    const route = document?.routes.find(({ name }) => name === prediction.route);
    if (document === undefined || route === undefined) {
      const what = document === undefined ? '' : ` with a route '${prediction.route}'`;
      throw new MillraceError('NOT_FOUND', `deployment '${deployment}' has no version ${deploymentVersion}${what}`);
    }
    const { referenceHash } = document.monitors;
    if (referenceHash === undefined) {
      throw new MillraceError(
        'INVALID_ARGUMENT',
        `version ${deploymentVersion} of '${deployment}' names no reference sample to compare with: deploy it with monitors.referenceHash, and ask about a prediction of that version`,
      );
    }
    const code = codeOfRoute(route);
    if (code.length > 0)
      this.#files ??= StepFiles.open(join(tmpdir(), 'millrace-explainer'), this.#runtime.parts.blobs);
    const files = await this.#files;
    const bundles = new Map<string, string>();
    for (const { code: pin } of code) if (files !== undefined) bundles.set(pin.hash, await files.bundle(pin.hash));
    const { predictionId, entity, inputs, rows, leftOut } = prediction;
    return {
      method: method as AskedMethod,
      output,
      target,
      row,
      seed: request.attributionId,
      predictionId,
      entity,
      inputs,
      rows,
      leftOut,
      route,
      features: document.features,
      mainOutput: document.output ?? '',
      referenceHash,
      blobs: new Map(),
      bundles,
    };
  }

  async #run(task: AttributionTask): Promise<Explanation> {
    const blobs = new Map<string, Uint8Array>();
    // Another worker may take the task the second time, and lack other blobs.
    for (;;) {
      const answer = await this.#pool.run({ ...task, blobs });
      if (answer.type === 'explained') return answer.explanation;
      if (answer.type === 'refused') throw new MillraceError(answer.code, answer.reason);
      for (const hash of answer.hashes) blobs.set(hash, await this.#runtime.parts.blobs.get(hash));
    }
  }
}

function computed(
  { attributionId, predictionId, row, deployment, deploymentVersion, share }: AttributionRequested,
  { route, model, modelVersion, artifactHash }: PredictionCompleted,
  referenceHash: string,
  explanation: Explanation,
): IdentifiedOutput {
  const about = { attributionId, predictionId, row, deployment, deploymentVersion, share };
  const by = { route, model, modelVersion, artifactHash };
  const data = { ...about, ...by, ...explanation, referenceHash, seed: attributionId };
  return { topic: 'attributions', type: 'attribution-computed', key: deployment, id: `${attributionId}-answer`, data };
}

function refused(request: AttributionRequested, error: unknown): IdentifiedOutput {
  const { attributionId, predictionId, row, deployment, deploymentVersion, method, share } = request;
  const code = error instanceof MillraceError ? error.code : 'INTERNAL';
  const about = { attributionId, predictionId, row, deployment, deploymentVersion, method, share };
  const data = { ...about, code, reason: messageOf(error).slice(0, 2_000) };
  return { topic: 'attributions', type: 'attribution-refused', key: deployment, id: `${attributionId}-answer`, data };
}
