/** Builders of events on `predictions` for tests; every field can be overruled. */
import type {
  DriftAssessed,
  FeedbackReceived,
  MonitoringTerms,
  PredictionCompleted,
  PredictionFailed,
  ShadowAnswered,
  Tensor,
} from '../../schemas/events.ts';

export const terms: MonitoringTerms = {
  output: '',
  feedbackWindowMs: 60_000,
  reward: 'negative-squared-error',
  windowRows: 200,
  windowMinRows: 20,
  windowMaxAgeMs: 10_000,
  assessEvery: 10,
  alpha: 0.05,
  steered: false,
  windows: [],
  online: [],
  feedbackOnline: [],
  explainers: [],
  rewardFunction: '',
  qualityRows: 0,
  qualityMaxAgeMs: 0,
  bounds: [],
  planned: [],
  statisticsLatenessMs: 10_000,
  probabilities: '',
  segments: [],
  statisticsEveryMs: 0,
};

/** Row-major doubles. */
export function tensor(name: string, shape: readonly number[], values: readonly number[]): Tensor {
  return { name, datatype: 'FP64', shape, data: { 'millrace.common.Doubles': { values } } };
}

/** A prediction id of partition 0. */
export function idOf(n: number): string {
  return n.toString(16).padStart(32, '0');
}

export function completed(n: number, overrule: Partial<PredictionCompleted> = {}): PredictionCompleted {
  return {
    predictionId: idOf(n),
    entity: `entity-${n}`,
    deployment: 'diamonds',
    deploymentVersion: 1,
    route: 'linear',
    model: 'diamonds',
    modelVersion: 1,
    artifactHash: 'a'.repeat(64),
    clientId: null,
    source: null,
    inputDigest: `digest-${n}`,
    inputs: [tensor('x', [1, 2], [n, 10 * n])],
    outputs: [tensor('y', [1, 1], [100])],
    rows: 1,
    receivedAt: 0,
    queueMs: 0,
    runMs: 0,
    terms,
    steps: [],
    routedBy: 'prediction-id',
    weightsVersion: 0,
    cached: false,
    withheld: false,
    leftOut: [],
    eventTime: null,
    ...overrule,
  };
}

/** The canary's answer to a mirrored request: 98. */
export function shadowAnswered(n: number): ShadowAnswered {
  return {
    predictionId: idOf(n),
    entity: `entity-${n}`,
    deployment: 'diamonds',
    deploymentVersion: 1,
    route: 'linear',
    shadow: 'canary',
    model: 'diamonds',
    modelVersion: 2,
    artifactHash: 'b'.repeat(64),
    outcome: 'differed',
    code: '',
    message: '',
    outputs: [tensor('y', [1, 1], [98])],
    differences: [],
    queueMs: 0,
    runMs: 0,
    steered: true,
    rows: 1,
    output: '',
    reward: 'negative-squared-error',
    rewardFunction: '',
  };
}

export function failed(n: number): PredictionFailed {
  return {
    predictionId: idOf(n),
    entity: `entity-${n}`,
    deployment: 'diamonds',
    clientId: null,
    source: null,
    inputDigest: `digest-${n}`,
    code: 'TIMEOUT',
    message: 'too late',
    receivedAt: 0,
    deploymentVersion: 1,
    route: 'linear',
    node: '',
    steered: false,
    weightsVersion: 0,
    routedBy: 'prediction-id',
  };
}

export function feedback(n: number, feedbackId: string, overrule: Partial<FeedbackReceived> = {}): FeedbackReceived {
  return {
    feedbackId,
    predictionId: idOf(n),
    truth: 90,
    label: null,
    reward: null,
    source: null,
    actor: 'tester',
    waitMs: 50_000,
    row: null,
    rows: 0,
    ...overrule,
  };
}

/** A verdict of the detector in short; every field can be overruled. */
export function driftAssessed(overrule: Partial<DriftAssessed> = {}): DriftAssessed {
  return {
    deployment: 'diamonds',
    deploymentVersion: 1,
    windowId: 'w',
    findingId: '',
    detector: 'tabular-drift',
    method: 'tabular',
    methodVersion: 1,
    target: 'inputs',
    stream: 'predictions',
    window: '',
    referenceHash: 'a'.repeat(64),
    referenceKind: 'artifact',
    referenceRows: 1_000,
    rows: 500,
    rowsUsed: 500,
    rowsSeen: 500,
    lateRows: 0,
    correction: 'bonferroni',
    alpha: 0.01,
    features: [],
    drifted: false,
    sources: [],
    minEffectSize: 0.1,
    raiseAfter: 1,
    clearAfter: 1,
    openedAt: 0,
    closedAt: 0,
    closedBy: 'rows',
    startState: '',
    fitHash: '',
    ...overrule,
  };
}
