/** What is judged, and what is found. */
import type { FeatureSpec } from '../../schemas/deployment-document.ts';
import type { FeatureDrift, RowScore } from '../../schemas/events.ts';
import type { NumberColumn } from './compared-columns.ts';

/** A window with what its deployment's document says about it. */
export interface WindowToScore {
  /** Seeds what a method draws. */
  readonly windowId: string;
  readonly rows: number;
  readonly columns: readonly NumberColumn[];
  readonly outputs: readonly NumberColumn[];
  /** Of detectors that find rows; others need none. */
  readonly predictionIds: readonly string[];
  /** Which row of its prediction each is; left out: all are the first. */
  readonly rowsOfPrediction?: readonly number[];
  readonly features: readonly FeatureSpec[];
}

export type WindowScore = DriftScore | OutlierScore;

export interface DriftScore {
  readonly finds: 'drift';
  readonly features: readonly FeatureDrift[];
  readonly drifted: boolean;
  readonly rowsUsed: number;
  readonly referenceRows: number;
}

export interface OutlierScore {
  readonly finds: 'outliers';
  readonly threshold: number;
  readonly outliers: readonly RowScore[];
  readonly scoredRows: number;
}
