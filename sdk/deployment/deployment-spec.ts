/**
 * A deployment as a person writes it: like the document on the log, but a model may be named by version or alias, and settings may
 * be left to their defaults.
 */
import { Type } from 'typebox';
import type {
  DeploymentDocument,
  FeatureSpec,
  FeedbackSettings,
  MonitorSettings,
} from '../../schemas/deployment-document.ts';
import { deploymentSchema, nameSchema, weightSchema } from '../../schemas/deployment-problems.ts';

export interface DeploymentSpec {
  /** `[a-z0-9][a-z0-9-]{0,62}`. */
  readonly name: string;
  readonly routes: readonly RouteSpec[];
  readonly features: readonly FeatureSpec[];
  /** Tensor of the answer that feedback is compared with. @default the first output */
  readonly output?: string;
  readonly feedback: FeedbackSettings;
  readonly monitors: MonitorSettings;
}

export interface RouteSpec {
  readonly name: string;
  /** See {@link ModelReference}. */
  readonly model: ModelReference;
  /** Share of the traffic: weight / sum of weights. */
  readonly weight: number;
}

/** `models:/<model>/<version>`, `models:/<model>@<alias>`, or `models:/<model>/latest`. */
export type ModelReference = `models:/${string}`;

export const defaultFeedback: FeedbackSettings = { windowMs: 3_600_000, reward: 'negative-squared-error' };

export const defaultMonitors: MonitorSettings = { window: { rows: 500, minRows: 100, maxAgeMs: 60_000 } };

export const defaultWeight = 1;

export interface ParsedReference {
  readonly model: string;
  readonly version?: number;
  readonly alias?: string;
}

const referencePattern =
  '^models:/([A-Za-z0-9][A-Za-z0-9._-]{0,127})(?:/([1-9][0-9]{0,8}|latest)|@([A-Za-z][A-Za-z0-9._-]{0,63}))$';
const reference = new RegExp(referencePattern);

/** Both absent: the newest version. undefined: the text is no reference. */
export function parseModelReference(text: string): ParsedReference | undefined {
  const match = reference.exec(text);
  const model = match?.[1];
  if (model === undefined) return undefined;
  const version = match?.[2];
  const alias = match?.[3];
  if (alias !== undefined) return { model, alias };
  return version === undefined || version === 'latest' ? { model } : { model, version: Number(version) };
}

/** JSON Schema of the YAML and JSON form, with all defaults filled in. */
export const deploymentSpecSchema = deploymentSchema(
  Type.Object(
    { name: nameSchema, model: Type.String({ pattern: referencePattern }), weight: weightSchema },
    { additionalProperties: false },
  ),
);

/** Any document is also readable as a spec, with its versions named. */
export function specOf(document: DeploymentDocument): DeploymentSpec {
  return {
    ...document,
    routes: document.routes.map(({ name, model, modelVersion, weight }) => ({
      name,
      model: `models:/${model}/${modelVersion}`,
      weight,
    })),
  };
}
