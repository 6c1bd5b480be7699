/** Why predictions came out as they did, as the API answers it. Numbers that JSON does not have come as the texts 'Infinity', '-Infinity' and 'NaN'. */
import type { AttributionComputed, AttributionRefused } from '../events.ts';

/** `type` says which of both it is. */
export type Attribution = ComputedAttribution | RefusedAttribution;

export interface ComputedAttribution extends AttributionComputed {
  readonly type: 'computed';
}

export interface RefusedAttribution extends AttributionRefused {
  readonly type: 'refused';
}

export interface AttributionList {
  readonly predictionId: string;
  /** Newest first. */
  readonly attributions: readonly Attribution[];
}
