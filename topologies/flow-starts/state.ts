/** What the fold keeps of each flow, and under which keys. `flow` is always the deployed name. */
import type { Reads } from '../../runtime/engine/topology.ts';
import type { Cause, Position, Slot } from '../../schemas/events.ts';
import { policyLimits } from '../../schemas/flow-policy.ts';
import { stateKey } from '../decision-request.ts';

/** The deployed version; graph, triggers and policy are JSON. */
export interface CurrentVersion {
  readonly version: number;
  readonly bundleHash: string;
  readonly graph: string;
  readonly triggers: string;
  readonly policy: string;
  readonly actor: string;
  readonly deployedAt: number;
  readonly token: string;
  /** How often a token was made. */
  readonly tokens: number;
  /** Who may deploy without the token. */
  readonly authors: readonly string[];
  /** Nothing starts any more; a new deployment goes on with the version's number. */
  readonly removed: boolean;
}

/** What changes with every start and end. */
export interface FlowCounts {
  /** Open runs of deployed versions. */
  readonly running: number;
  readonly queued: number;
  /** Of the next start that waits. */
  readonly sequence: number;
  readonly paused: boolean;
  readonly schedules: Readonly<Record<string, ScheduleStand>>;
}

export interface ScheduleStand {
  /** Of the schedule's definition. */
  readonly digest: string;
  /** Slots up to here are decided. */
  readonly lastMs: number;
  /** Runs of this schedule that are open. */
  readonly open: number;
}

export const noCounts: FlowCounts = { running: 0, queued: 0, sequence: 0, paused: false, schedules: {} };

/** A run that has not ended. */
export interface OpenRun {
  /** Version 0 runs beside the deployed flow: no limit counts it, nobody waits for its end. */
  readonly version: number;
  readonly schedule?: string;
  /** Flows whose ends led to this run, the first one first. */
  readonly chain: readonly string[];
}

/** A run that is asked for, whoever asks. */
export interface Start {
  readonly requestId: string;
  readonly parameters: string;
  readonly cause: Cause;
  readonly actor: string;
  readonly tags: readonly string[];
  readonly chain: readonly string[];
  /** Runs this instead of the deployed version. */
  readonly bundle?: { readonly bundleHash: string; readonly graph: string };
  /** Events that led to it, and the trigger that took them. */
  readonly events?: readonly { readonly eventId: string; readonly name: string }[];
  readonly trigger?: string;
  /** What the events have in common. */
  readonly key?: string;
  readonly slot?: StartSlot;
  readonly resume?: StartResume;
  /** Memoised steps run, whatever is remembered. */
  readonly refresh?: true;
}

/** A run that goes on where another one stopped, or where it stopped itself. */
export interface StartResume {
  readonly runId: string;
  readonly from: string | null;
  readonly inPlace: boolean;
  /** Whose code: the run's own, or that of the deployed version. A bundle of the start goes before both. */
  readonly code: 'origin' | 'deployed';
  /** Of the run. */
  readonly version: number;
  readonly bundleHash: string;
}

export interface StartSlot extends Slot {
  readonly schedule: string;
  /** Request of a backfill; null for a slot that is due. */
  readonly backfill: string | null;
  readonly overlap: 'skip' | 'queue' | 'allow';
}

/** Events that wait: for the other members of `all`, or for quiet. */
export interface Held {
  readonly digest: string;
  readonly events: readonly HeldEvent[];
  /** When the first of a debounced row came. */
  readonly sinceMs: number;
}

export interface HeldEvent {
  readonly member: number;
  readonly eventId: string;
  readonly requestId: string;
  readonly name: string;
  readonly kind: string;
  readonly parameters: string;
  readonly atMs: number;
  readonly source: Position | null;
  readonly chain: readonly string[];
  readonly actor: string;
  readonly key: string;
}

/** Who waits for ends of this flow's runs, by deployed name. Triggers are JSON. */
export type Subscribers = Readonly<
  Record<string, { readonly version: number; readonly triggers: string; readonly parameterNames: readonly string[] }>
>;

export const currentKey = (flow: string): string => stateKey('current', flow);
export const countsKey = (flow: string): string => stateKey('flow', flow);
export const subscribersKey = (flow: string): string => stateKey('subscribers', flow);
export const heldKey = (flow: string, trigger: string, key: string): string => stateKey('held', flow, trigger, key);
export const openKey = (flow: string, runId: string): string => stateKey('open', flow, runId);
/** Runs that were asked to stop and have not ended. */
export const endingKey = (flow: string, runId: string): string => stateKey('ending', flow, runId);
export const openPrefix = (flow: string): string => `${stateKey('open', flow)}/`;
export const queuePrefix = (flow: string): string => `${stateKey('queue', flow)}/`;
export const queueKey = (flow: string, sequence: number): string =>
  stateKey('queue', flow, String(sequence).padStart(12, '0'));

/** Runs that one record stops at most. */
export const stopsPerFold = 200;

export const flowKeys = (flow: string): readonly string[] => [currentKey(flow), countsKey(flow)];
export const queueRange = (flow: string) => ({ prefix: queuePrefix(flow), limit: policyLimits.queued });
export const openRange = (flow: string) => ({ prefix: openPrefix(flow), limit: stopsPerFold });

/** What a timer of held events may read. */
export const readsOfHeld = (flow: string, key: string): Reads => ({ keys: [...flowKeys(flow), key] });
