/** Deployments, their routes and why a prediction took its own, as the API answers it. Times are milliseconds since the epoch. */
import type { RouteEvidence } from '../events.ts';
import type { RouteWeight } from '../traffic.ts';

/** A version that was applied: in force from then until the next one. */
export interface DeploymentVersion {
  readonly deployment: string;
  readonly version: number;
  /** As it was applied, JSON: models and code by hash. */
  readonly document: string;
  readonly actor: string;
  readonly appliedAt: number;
  /** How its routes shared the traffic: at the time that was asked for, else in the end, when a bandit or a rollout changed it. */
  readonly weightsVersion?: number;
  readonly weights?: readonly RouteWeight[];
  /** Why they were changed to that. */
  readonly reason?: string;
}

/** What is known of a route where its weight was decided. */
export interface ShownEvidence extends Omit<RouteEvidence, 'latencyMs'> {
  /** At the quantile that the rollout judges; null: none. */
  readonly latencyMs: number | null;
}

/** Something that must hold. */
export interface Check {
  readonly check: string;
  /** null: it holds. */
  readonly problem: string | null;
}

/** Whether the process behind the gateway can answer for it. */
export interface DeploymentStatus {
  readonly deployment: string;
  readonly version: number;
  readonly ready: boolean;
  /** The first problem; null when it is ready. */
  readonly reason: string | null;
  readonly checks: readonly Check[];
}

/** Requests that a shadow route mirrored, by what came of them. */
export interface ShadowTraffic {
  readonly version: number;
  readonly shadow: string;
  readonly outcome: string;
  readonly answers: number;
}

/** The weights in force, what justifies them, and how often shadows agreed, newest version first. */
export interface ShownRoutes {
  readonly deployment: string;
  readonly version: number;
  /** 0: those that the document begins with. */
  readonly weightsVersion: number;
  /** Share = weight / sum of weights. */
  readonly weights: readonly RouteWeight[];
  /** document, bandit or rollout. */
  readonly cause: string;
  readonly reason: string;
  readonly evidence: readonly ShownEvidence[];
  readonly updatedAt: number | null;
  readonly shadows: readonly ShadowTraffic[];
}

export interface ShownRollout {
  readonly deployment: string;
  readonly version: number;
  readonly stable: string;
  readonly canary: string;
  /** idle, running, paused, promoting, promoted or rolled-back. */
  readonly phase: string;
  readonly step: number;
  readonly steps: number;
  /** Share of the canary. */
  readonly percent: number;
  /** Share of the requests of which the canary gets copies. */
  readonly shadowPercent: number;
  readonly sinceMs: number;
  /** Why it is where it is, or what it waits for. */
  readonly reason: string;
  readonly evidence: readonly ShownEvidence[];
}

/** The weights that were in force, what justified them, and both computed again. */
export interface RouteExplanation {
  readonly predictionId: string;
  readonly entity: string;
  readonly deployment: string;
  readonly deploymentVersion: number;
  readonly route: string;
  /** prediction-id, entity, or header: what decided. */
  readonly routedBy: string;
  /** 0: those that the document begins with. */
  readonly weightsVersion: number;
  readonly weights: readonly RouteWeight[];
  /** document, bandit or rollout. */
  readonly cause: string;
  readonly reason: string;
  readonly evidence: readonly ShownEvidence[];
  /** When the weights were decided, and where that lies on the log. */
  readonly decidedAt: number | null;
  readonly at: string | null;
  /** What computing again gave. A problem says how it differs. */
  readonly checks: readonly Check[];
  readonly verified: boolean;
  readonly shadows: readonly ShadowExplanation[];
}

export interface ShadowExplanation {
  readonly shadow: string;
  readonly mirrored: boolean;
  /** null: nothing was recorded. */
  readonly outcome: string | null;
  readonly message: string;
  readonly differences: readonly object[];
}
