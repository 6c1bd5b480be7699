/** What became of a request, as the one event that says so. */
import type { IdentifiedOutput } from '../../runtime/engine/service.ts';
import { type ErrorCode, MillraceError, messageOf, type Tensor } from '../../runtime/ports/index.ts';
import { PoisonError } from '../../schemas/codec/event-codec.ts';
import type { DeploymentRoute } from '../../schemas/deployment-document.ts';
import type { EventData, EventName, GraphStep, PredictionCompleted, PredictionFailed } from '../../schemas/events.ts';
import type { RouteChoice } from '../../schemas/traffic.ts';
import type { LeftOut, ModelPin } from '../../schemas/inference-graph.ts';
import type { DeployedVersion } from './deployment-catalog.ts';
import { eventOfTensor } from './event-tensors.ts';
import type { PredictionRequest } from './prediction-request.ts';
import { recordedInputs } from './recorded-inputs.ts';

interface Said {
  readonly predictionId: string;
  /** The event, ready to be published. */
  readonly output: IdentifiedOutput;
}

export type Outcome =
  | (Said & {
      readonly type: 'completed';
      readonly data: PredictionCompleted;
      /** Those that were asked for. */
      readonly outputs: readonly Tensor[];
    })
  | (Said & {
      readonly type: 'failed';
      readonly data: PredictionFailed;
      readonly error: unknown;
      readonly place: Place | undefined;
    })
  | (Said & { readonly type: 'conflicted'; readonly message: string });

export interface Answer {
  readonly rows: number;
  readonly outputs: readonly Tensor[];
  /** Before the run began. */
  readonly queueMs: number;
  readonly runMs: number;
  /** The model that answered; of a graph, the last that ran. */
  readonly model: ModelPin;
  /** Nodes of a graph that ran. */
  readonly steps: readonly GraphStep[];
  /** What joins of a graph went on without; undefined: nothing. */
  readonly leftOut?: readonly LeftOut[];
  /** It was made for another prediction with the same inputs. */
  readonly cached?: boolean;
}

/** How far a request came. */
export interface Place {
  readonly deployed: DeployedVersion;
  readonly route: DeploymentRoute;
  /** What decided the route. */
  readonly routedBy: RouteChoice['by'];
}

const noneLeftOut: readonly LeftOut[] = [];

/** Written out, as everything that each request goes through: spreading objects costs more than the rest of it. */
export function completed(request: PredictionRequest, place: Place, answer: Answer): Outcome {
  const { predictionId } = request;
  const { deployed, route } = place;
  const { rows, model, queueMs, runMs, steps, leftOut = noneLeftOut, cached = false } = answer;
  const recorded = recordedInputs(predictionId, request.eventInputs, deployed);
  const data: PredictionCompleted = {
    predictionId,
    entity: request.entity,
    deployment: deployed.name,
    deploymentVersion: deployed.version,
    route: route.name,
    model: model.model,
    modelVersion: model.modelVersion,
    artifactHash: model.artifactHash,
    clientId: request.clientId,
    source: request.source,
    inputDigest: request.inputDigest,
    inputs: recorded.inputs,
    outputs: answer.outputs.map(eventOfTensor),
    rows,
    receivedAt: request.receivedAt,
    queueMs,
    runMs,
    terms: recorded.terms,
    steps,
    routedBy: place.routedBy,
    weightsVersion: deployed.weightsVersion,
    cached,
    withheld: recorded.withheld,
    eventTime: request.eventTimeMs ?? null,
    leftOut,
  };
  const outputs = wanted(answer.outputs, request.outputNames);
  return { type: 'completed', predictionId, data, outputs, output: said(request, 'prediction-completed', data) };
}

export function failed(request: PredictionRequest, error: unknown, place?: Place): Outcome {
  const { predictionId } = request;
  const node = error instanceof MillraceError ? error.details['node'] : undefined;
  const data: PredictionFailed = {
    predictionId,
    entity: request.entity,
    deployment: request.deployment,
    clientId: request.clientId,
    source: request.source,
    inputDigest: request.inputDigest,
    code: codeOf(error),
    message: messageOf(error).slice(0, messageMax),
    receivedAt: request.receivedAt,
    deploymentVersion: place?.deployed.version ?? 0,
    route: place?.route.name ?? '',
    node: typeof node === 'string' ? node : '',
    steered: place?.deployed.terms.steered ?? false,
    weightsVersion: place?.deployed.weightsVersion ?? 0,
    routedBy: place?.routedBy ?? 'prediction-id',
  };
  return { type: 'failed', predictionId, data, error, place, output: said(request, 'prediction-failed', data) };
}

/** The client id was used before with another body; the first outcome stands. */
export function conflicted(request: PredictionRequest, firstInputDigest: string): Outcome {
  const { predictionId, deployment, clientId, inputDigest, source } = request;
  const data = { predictionId, deployment, clientId, inputDigest, firstInputDigest, source };
  return {
    type: 'conflicted',
    predictionId,
    message: `id '${clientId}' of '${request.entity}' was used before with other inputs; the first outcome stands`,
    output: said(request, 'prediction-conflicted', data),
  };
}

function wanted(outputs: readonly Tensor[], names: readonly string[] | undefined): readonly Tensor[] {
  return names === undefined ? outputs : outputs.filter(({ name }) => names.includes(name));
}

const messageMax = 2_000;

/**
 * Repeats of a request have the id of its first outcome, so whoever folds drops them; other inputs under the same prediction id
 * have another, so that the conflict is seen.
 */
function said<E extends EventName<'predictions'>>(
  { predictionId, inputDigest, entity, partition }: PredictionRequest,
  type: E,
  data: EventData['predictions'][E],
): IdentifiedOutput {
  const id = inputDigest === '' ? predictionId : `${predictionId}-${inputDigest.slice(0, 16)}`;
  return { topic: 'predictions', type, data, key: entity, partition, id } as IdentifiedOutput;
}

function codeOf(error: unknown): ErrorCode {
  if (error instanceof MillraceError) return error.code;
  return error instanceof PoisonError ? 'POISON_RECORD' : 'INTERNAL';
}
