/**
 * Runs predictions of the log again: the recorded inputs, through the route and the model files that the prediction names, in sessions of
 * its own; nothing is published. Outputs are compared by their bytes.
 */
import { evaluateGraph } from '../../runtime/inference-graph/evaluate.ts';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError, type ModelRuntime } from '../../runtime/ports/index.ts';
import type { OutputDifference, PredictionReplay } from '../../schemas/api/prediction-replay.ts';
import type { DeploymentDocument, DeploymentRoute } from '../../schemas/deployment-document.ts';
import type { PredictionCompleted, Tensor as EventTensor } from '../../schemas/events.ts';
import { inputDigest } from '../../schemas/input-digest.ts';
import { CodeThreads } from './code/code-threads.ts';
import { eventOfTensor, tensorOfEvent, valuesOf } from './event-tensors.ts';
import { fixedBatches } from './batch-policy.ts';
import { MicroBatcher, type RunTerms } from './micro-batcher.ts';
import { ServerGraph } from './server-graph.ts';
import { SessionCache } from './session-cache.ts';

export interface PredictionReplayParts {
  readonly runtime: Runtime;
  /** Made when the first prediction is run again. */
  readonly models: () => ModelRuntime;
  /** The prediction as it is on the log. NOT_FOUND, or INVALID_ARGUMENT when it failed. */
  readonly find: (predictionId: string) => Promise<PredictionCompleted>;
  readonly documentOf: (deployment: string, version: number) => Promise<DeploymentDocument | undefined>;
}

/** Models that stay loaded for replays. */
const sessionsMax = 4;
const batchRowsMax = 512;
const patient: RunTerms = { waits: true };

interface Machinery {
  readonly sessions: SessionCache<MicroBatcher>;
  readonly code: CodeThreads;
  readonly graph: ServerGraph;
}

interface Ran {
  readonly outputs: readonly EventTensor[];
  /** Nodes that ran, with the branches that routers chose; sorted, for they run side by side. */
  readonly way: readonly string[];
}

export class PredictionReplays {
  readonly #parts: PredictionReplayParts;
  #machinery: Machinery | undefined;

  constructor(parts: PredictionReplayParts) {
    this.#parts = parts;
  }

  async replay(predictionId: string): Promise<PredictionReplay> {
    const prediction = await this.#parts.find(predictionId);
    const { deployment, deploymentVersion, route: name, outputs, steps } = prediction;
    if (prediction.withheld)
      throw new MillraceError(
        'INVALID_ARGUMENT',
        `inputs of prediction ${predictionId} were not recorded, as its deployment wants it: it cannot be run again`,
      );
    const document = await this.#parts.documentOf(deployment, deploymentVersion);
    const route = document?.routes.find((one) => one.name === name);
    if (route === undefined)
      throw new MillraceError(
        'NOT_FOUND',
        `deployment '${deployment}' has no version ${deploymentVersion} with a route '${name}'`,
      );
    const { outputs: again, way } = await this.#run(route, prediction);
    const differences = outputs.flatMap((recorded) => differencesOf(recorded, again));
    const recordedWay = wayOf(steps);
    if (recordedWay.join() !== way.join())
      differences.push({
        output: '',
        says: `the graph went ${way.join(', ')}, not ${recordedWay.join(', ')}`,
        largest: null,
      });
    const compared = again.filter((tensor) => outputs.some((recorded) => recorded.name === tensor.name));
    const ran = steps.filter(({ artifactHash }) => artifactHash !== '');
    const { model, modelVersion, artifactHash } = prediction;
    return {
      ...{ predictionId, deployment, deploymentVersion, route: name },
      models: ran.length === 0 ? [{ model, modelVersion, artifactHash }] : ran.map(pinOf),
      inputsIntact: inputDigest(prediction.inputs) === prediction.inputDigest,
      identical: differences.length === 0,
      recordedDigest: inputDigest(outputs),
      replayedDigest: inputDigest(compared),
      differences,
    };
  }

  async close(): Promise<void> {
    await this.#machinery?.code.close();
    await this.#machinery?.sessions.close();
  }

  async #run(
    route: DeploymentRoute,
    { inputs, predictionId, entity, artifactHash, leftOut }: PredictionCompleted,
  ): Promise<Ran> {
    const { graph } = this.#opened();
    const tensors = inputs.map(tensorOfEvent);
    if (route.graph === undefined) {
      // the file that the prediction names, whatever the document says
      const { outputs } = await graph.runModel({ ...route, artifactHash }, tensors, false, patient);
      return { outputs: outputs.map(eventOfTensor), way: [] };
    }
    const { outputs, steps } = await evaluateGraph(
      route.graph,
      { inputs: tensors, predictionId, entity },
      graph.services(patient),
      { leftOut },
    );
    return { outputs: outputs.map(eventOfTensor), way: wayOf(steps) };
  }

  #opened(): Machinery {
    if (this.#machinery !== undefined) return this.#machinery;
    const { blobs, clock } = this.#parts.runtime.parts;
    const sessions = new SessionCache(
      { models: this.#parts.models(), blobs, clock, sessionsMax },
      (model) => new MicroBatcher(model, { policy: fixedBatches(batchRowsMax) }),
    );
    const code = new CodeThreads(blobs);
    this.#machinery = { sessions, code, graph: new ServerGraph(sessions, code) };
    return this.#machinery;
  }
}

type Step = { readonly node: string; readonly chose: readonly string[] };
const wayOf = (steps: readonly Step[]): string[] =>
  steps.map(({ node, chose }) => (chose.length === 0 ? node : `${node} → ${chose.join('+')}`)).sort();

function pinOf({ model, modelVersion, artifactHash }: PredictionCompleted['steps'][number]) {
  return { model, modelVersion, artifactHash };
}

function differencesOf(recorded: EventTensor, replayed: readonly EventTensor[]): OutputDifference[] {
  const output = recorded.name;
  const again = replayed.find(({ name }) => name === output);
  if (again === undefined) return [{ output, says: 'there is no such output now', largest: null }];
  if (inputDigest([recorded]) === inputDigest([again])) return [];
  const look = ({ datatype, shape }: EventTensor): string => `${datatype} [${shape.join(', ')}]`;
  if (look(recorded) !== look(again))
    return [{ output, says: `it is ${look(again)}, was ${look(recorded)}`, largest: null }];
  const [before, now] = [valuesOf(recorded), valuesOf(again)];
  const differ = before.flatMap((value, index) => (Object.is(value, now[index]) ? [] : [index]));
  const gaps = differ.map((index) => Math.abs(Number(before[index]) - Number(now[index])));
  const largest = gaps.some(Number.isNaN) ? null : Math.max(0, ...gaps);
  return [{ output, says: `${differ.length} of ${before.length} values differ`, largest }];
}
