/** Predictions through the gateway, by Open Inference Protocol v2. */
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { ShownPrediction, SubmittedPrediction } from '../../schemas/api/predictions.ts';
import { type Call, type HttpCaller, path } from './http-caller.ts';

/** Row-major; `data` may be nested. */
export interface ClientTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

/** Tensors, or rows of numbers for a deployment with one input. */
export type PredictInput =
  | { readonly inputs: readonly ClientTensor[] }
  | { readonly rows: readonly (readonly number[])[] };

export interface PredictOptions {
  /** The user's entity: predictions of one entity stay in order. */
  readonly entity?: string | undefined;
  /** Makes a repeat give the stored answer; unique per entity. */
  readonly id?: string | undefined;
  /** After this time the answer is a failure. */
  readonly deadline?: Date | undefined;
  /** Oldest version of the deployment that may answer, such as the one that `deploy` gave. */
  readonly versionMin?: number | undefined;
  /** Route to take as long as it has traffic, such as that of an earlier prediction. @default shared out by the weights */
  readonly route?: string | undefined;
  /** Parameters of the request, such as `content_type`. */
  readonly parameters?: Readonly<Record<string, string | number | boolean>> | undefined;
}

export interface Prediction {
  /** What feedback refers to. */
  readonly predictionId: string;
  readonly deployment: string;
  readonly deploymentVersion: number;
  readonly route: string;
  readonly model: string;
  readonly modelVersion: number;
  readonly outputs: readonly ClientTensor[];
}

interface Metadata {
  readonly inputs: readonly { readonly name: string; readonly datatype: string }[];
}

interface InferAnswer {
  readonly model_name: string;
  readonly model_version: string;
  readonly outputs: readonly ClientTensor[];
  readonly parameters: Readonly<Record<'prediction_id' | 'route' | 'model', string>> & {
    readonly model_version: number;
  };
}

export class Predictions {
  readonly #caller: HttpCaller;
  readonly #metadata = new Map<string, Promise<Metadata>>();

  constructor(caller: HttpCaller) {
    this.#caller = caller;
  }

  async predict(deployment: string, input: PredictInput, options: PredictOptions = {}): Promise<Prediction> {
    const asked = { method: 'POST', path: path`/v2/models/${deployment}/infer` } as const;
    const answer = (await this.#caller.call({
      ...asked,
      ...(await this.#request(deployment, input, options)),
    })) as InferAnswer;
    const { prediction_id: predictionId, route, model, model_version: modelVersion } = answer.parameters;
    const deploymentVersion = Number(answer.model_version);
    return { predictionId, deployment, deploymentVersion, route, model, modelVersion, outputs: answer.outputs };
  }

  async submit(deployment: string, input: PredictInput, options: PredictOptions = {}): Promise<SubmittedPrediction> {
    const asked = { method: 'POST', path: path`/api/v1/deployments/${deployment}/async-predictions` } as const;
    return (await this.#caller.call({
      ...asked,
      ...(await this.#request(deployment, input, options)),
    })) as SubmittedPrediction;
  }

  async show(id: string): Promise<ShownPrediction> {
    return (await this.#caller.call({ method: 'GET', path: path`/api/v1/predictions/${id}` })) as ShownPrediction;
  }

  async #request(
    deployment: string,
    input: PredictInput,
    options: PredictOptions,
  ): Promise<Pick<Call, 'body' | 'headers'>> {
    const inputs = 'inputs' in input ? input.inputs : [await this.#tensorOf(deployment, input.rows)];
    const { id, parameters } = options;
    return {
      body: { ...(id === undefined ? {} : { id }), ...(parameters === undefined ? {} : { parameters }), inputs },
      headers: {
        'millrace-entity': options.entity,
        'millrace-deadline': options.deadline?.toISOString(),
        'millrace-route': options.route,
        'millrace-deployment-version': options.versionMin === undefined ? undefined : String(options.versionMin),
      },
    };
  }

  async #tensorOf(deployment: string, rows: readonly (readonly number[])[]): Promise<ClientTensor> {
    const { inputs } = await this.#describe(deployment);
    const [input] = inputs;
    if (input === undefined || inputs.length !== 1) {
      throw new MillraceError(
        'INVALID_ARGUMENT',
        `deployment '${deployment}' has ${inputs.length} inputs: give \`inputs\` instead of \`rows\``,
      );
    }
    return { ...input, shape: [rows.length, rows[0]?.length ?? 0], data: rows.flat() };
  }

  #describe(deployment: string): Promise<Metadata> {
    const known = this.#metadata.get(deployment);
    if (known !== undefined) return known;
    const asked = this.#caller.call({ method: 'GET', path: path`/v2/models/${deployment}` }) as Promise<Metadata>;
    this.#metadata.set(deployment, asked);
    asked.catch(() => this.#metadata.delete(deployment));
    return asked;
  }
}
