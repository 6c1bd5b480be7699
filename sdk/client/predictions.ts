/** Predictions through the gateway, by Open Inference Protocol v2. */
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { ShownPrediction, SubmittedPrediction } from '../../schemas/api/predictions.ts';
import type { LoggedRequest, RequestPage } from '../../schemas/api/request-log.ts';
import { type Call, type HttpCaller, path } from './http-caller.ts';
import { type RequestFilter, requestQuery } from './request-filter.ts';

/** Row-major; `data` may be nested. */
export interface ClientTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly number[];
  readonly data: readonly unknown[];
}

/** Tensors; or rows of numbers for a deployment with one input, or with inputs that are a column each. */
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
  /** When what it is about happened: windows of detectors by time go by it. @default when it is received */
  readonly eventTime?: Date | undefined;
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
  readonly inputs: readonly Omit<ClientTensor, 'data'>[];
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

  async page(filter: RequestFilter): Promise<RequestPage> {
    return (await this.#caller.call({
      method: 'GET',
      path: `/api/v1/predictions${requestQuery(filter)}`,
    })) as RequestPage;
  }

  async *all(filter: RequestFilter): AsyncGenerator<LoggedRequest> {
    let cursor = filter.cursor;
    do {
      const { predictions, next } = await this.page({ ...filter, cursor });
      yield* predictions;
      cursor = next ?? undefined;
    } while (cursor !== undefined);
  }

  async #request(
    deployment: string,
    input: PredictInput,
    options: PredictOptions,
  ): Promise<Pick<Call, 'body' | 'headers'>> {
    const inputs = 'inputs' in input ? input.inputs : await this.#tensorsOf(deployment, input.rows);
    const { id, parameters } = options;
    return {
      body: { ...(id === undefined ? {} : { id }), ...(parameters === undefined ? {} : { parameters }), inputs },
      headers: {
        'millrace-entity': options.entity,
        'millrace-deadline': options.deadline?.toISOString(),
        'millrace-event-time': options.eventTime?.toISOString(),
        'millrace-route': options.route,
        'millrace-deployment-version': options.versionMin === undefined ? undefined : String(options.versionMin),
      },
    };
  }

  /** Rows of the one input, or of several that are a column each, in their order. */
  async #tensorsOf(deployment: string, rows: readonly (readonly number[])[]): Promise<readonly ClientTensor[]> {
    const { inputs } = await this.#describe(deployment);
    const [input] = inputs;
    if (input !== undefined && inputs.length === 1)
      return [{ ...input, shape: [rows.length, rows[0]?.length ?? 0], data: rows.flat() }];
    const names = inputs.map(({ name }) => name).join(', ');
    const refuse = (why: string): never => {
      throw new MillraceError('INVALID_ARGUMENT', `deployment '${deployment}' ${why}`);
    };
    if (inputs.length === 0)
      refuse('does not say what it takes, because code takes it first: give `inputs` with names instead of `rows`');
    if (inputs.some(({ shape }) => shape.slice(1).some((size) => size !== 1)))
      refuse(`has ${inputs.length} inputs that are no columns (${names}): give \`inputs\` instead of \`rows\``);
    const other = rows.find(({ length }) => length !== inputs.length);
    if (other !== undefined) refuse(`takes rows of ${inputs.length} columns (${names}), not of ${other.length}`);
    return inputs.map((column, at) => ({
      ...column,
      shape: [rows.length, ...column.shape.slice(1)],
      data: rows.map((row) => row[at] as number),
    }));
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
