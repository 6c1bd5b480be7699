/** Explainers of a deployment: which methods there are, and which predictions are explained by themselves. */
import { hash } from 'node:crypto';
import { idOf } from './derived-ids.ts';
import { Type } from 'typebox';

/** `version` rises when a method gives other numbers for the same question. */
export const explainerMethods = {
  'kernel-shap': { version: 1, says: 'Shapley values of any model; exact up to 11 features' },
  'tree-shap': { version: 1, says: 'exact Shapley values of a tree ensemble' },
  'permutation-importance': { version: 1, says: 'how much worse the model gets when a feature is shuffled' },
  anchors: { version: 1, says: 'a rule under which the answer stays the same' },
  counterfactual: { version: 1, says: 'the smallest change that changes the answer' },
} as const satisfies Readonly<Record<string, { readonly version: number; readonly says: string }>>;
export type ExplainerMethod = keyof typeof explainerMethods;

/** `auto`: Tree SHAP where the model is a tree ensemble, else Kernel SHAP. */
export type AskedMethod = ExplainerMethod | 'auto';

export const askedMethods = ['auto', ...(Object.keys(explainerMethods) as ExplainerMethod[])] as const;

export interface ExplainerSettings {
  readonly method: AskedMethod;
  /** Share of the predictions that are explained by themselves, within (0, 1]. */
  readonly share: number;
  /** Column of the answer, such as `probabilities[1]`. @default the predicted class, or the output of the deployment */
  readonly output?: string;
  /** Of a counterfactual: the number that the output shall reach. @default another class */
  readonly target?: number;
}

export const explainerSchema = Type.Object(
  {
    method: Type.Enum([...askedMethods]),
    share: Type.Number({ exclusiveMinimum: 0, maximum: 1, description: 'of the predictions' }),
    output: Type.Optional(Type.String({ minLength: 1, maxLength: 256 })),
    target: Type.Optional(Type.Number()),
  },
  { additionalProperties: false },
);

/** Whether a prediction is among the share that is explained: by a hash of its id, the same for every method. */
export function isExplained(predictionId: string, share: number): boolean {
  const digest = hash('sha256', `explained\u0000${predictionId}`, 'hex');
  return Number.parseInt(digest.slice(0, 12), 16) < share * 2 ** 48;
}

export interface AttributionQuestion {
  readonly predictionId: string;
  readonly row: number;
  readonly method: string;
  readonly output: string;
  readonly target: number | null;
}

/** The same question has the same id, whoever asks. */
export function attributionIdOf({ predictionId, row, method, output, target }: AttributionQuestion): string {
  const known = (explainerMethods as Readonly<Record<string, { readonly version: number } | undefined>>)[method];
  return idOf('attribution', predictionId, row, method, known?.version ?? 1, output, target ?? '');
}
