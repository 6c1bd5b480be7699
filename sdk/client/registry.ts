/** Registered models and their versions, through MLflow's API of the gateway. */
import type { AliasRuleDocument, AliasRuleShown, RegistryAt, RegistryMove } from '../../schemas/api/registry.ts';
import { type HttpCaller, path, query, timeText } from './http-caller.ts';

export interface RegisteredModel {
  readonly model: string;
  readonly description: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly tags: Readonly<Record<string, string>>;
  readonly aliases: Readonly<Record<string, number>>;
}

export interface RegisteredVersion {
  readonly model: string;
  readonly version: number;
  readonly description: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly user: string;
  /** None, Staging, Production or Archived. */
  readonly stage: string;
  readonly source: string;
  readonly runId: string | null;
  readonly tags: Readonly<Record<string, string>>;
  readonly aliases: readonly string[];
}

interface NewVersion {
  /** `runs:/<run>/<path>`, `models:/m-<id>`, `mlflow-artifacts:/…` or an address on another store. */
  readonly source: string;
  readonly runId?: string | undefined;
  readonly description?: string | undefined;
  readonly tags?: Readonly<Record<string, string>> | undefined;
}

const api = '/api/2.0/mlflow';

export class RegistryCalls {
  readonly #caller: HttpCaller;

  constructor(caller: HttpCaller) {
    this.#caller = caller;
  }

  async create(model: string, options: { readonly description?: string } = {}): Promise<RegisteredModel> {
    const answer = await this.#call('POST', 'registered-models/create', { name: model, ...options });
    return modelOf((answer as { registered_model: RawModel }).registered_model);
  }

  async model(model: string): Promise<RegisteredModel> {
    const answer = await this.#get(`registered-models/get${query({ name: model })}`);
    return modelOf((answer as { registered_model: RawModel }).registered_model);
  }

  /** @param filter such as `name LIKE 'wine%' AND tags.team = 'a'` */
  async search(filter = ''): Promise<readonly RegisteredModel[]> {
    const all: RegisteredModel[] = [];
    for (let page_token: string | undefined; ; ) {
      const answer = (await this.#get(`registered-models/search${query({ filter, page_token })}`)) as {
        readonly registered_models?: readonly RawModel[];
        readonly next_page_token?: string;
      };
      all.push(...(answer.registered_models ?? []).map(modelOf));
      page_token = answer.next_page_token;
      if (page_token === undefined) return all;
    }
  }

  /** @param filter such as `name = 'wine' AND tags.checked = 'yes'` */
  async versions(filter = ''): Promise<readonly RegisteredVersion[]> {
    const all: RegisteredVersion[] = [];
    for (let page_token: string | undefined; ; ) {
      const answer = (await this.#get(`model-versions/search${query({ filter, page_token })}`)) as {
        readonly model_versions?: readonly RawVersion[];
        readonly next_page_token?: string;
      };
      all.push(...(answer.model_versions ?? []).map(versionOf));
      page_token = answer.next_page_token;
      if (page_token === undefined) return all;
    }
  }

  /** A new version; its model is made when it is not there. */
  async register(model: string, { runId, tags = {}, ...rest }: NewVersion): Promise<RegisteredVersion> {
    await this.create(model).catch(async (error: unknown) => {
      // Whoever was first has made it.
      await this.model(model).catch(() => {
        throw error;
      });
    });
    const pairs = Object.entries(tags).map(([key, value]) => ({ key, value }));
    const body = { name: model, ...rest, tags: pairs, ...(runId === undefined ? {} : { run_id: runId }) };
    const answer = await this.#call('POST', 'model-versions/create', body);
    return versionOf((answer as { model_version: RawVersion }).model_version);
  }

  async describe(name: string, description: string, version?: number): Promise<void> {
    if (version === undefined) await this.#call('PATCH', 'registered-models/update', { name, description });
    else await this.#call('PATCH', 'model-versions/update', { name, version: String(version), description });
  }

  async tag(name: string, key: string, value: string, version?: number): Promise<void> {
    if (version === undefined) await this.#call('POST', 'registered-models/set-tag', { name, key, value });
    else await this.#call('POST', 'model-versions/set-tag', { name, version: String(version), key, value });
  }

  async untag(name: string, key: string, version?: number): Promise<void> {
    if (version === undefined) await this.#call('DELETE', 'registered-models/delete-tag', { name, key });
    else await this.#call('DELETE', 'model-versions/delete-tag', { name, version: String(version), key });
  }

  /** None, Staging, Production or Archived. @param archive whether other versions leave the stage */
  async stage(name: string, version: number, stage: string, archive = false): Promise<void> {
    const body = { name, version: String(version), stage, archive_existing_versions: archive };
    await this.#call('POST', 'model-versions/transition-stage', body);
  }

  async removeAlias(name: string, alias: string): Promise<void> {
    await this.#call('DELETE', 'registered-models/alias', { name, alias });
  }

  /** A version, or the model with all of them. */
  async delete(name: string, version?: number): Promise<void> {
    if (version === undefined) await this.#call('DELETE', 'registered-models/delete', { name });
    else await this.#call('DELETE', 'model-versions/delete', { name, version: String(version) });
  }

  /** Every move of aliases and stages, newest first. */
  async moves(model: string): Promise<readonly RegistryMove[]> {
    const answer = await this.#caller.call({ method: 'GET', path: path`/api/v1/models/${model}/moves` });
    return (answer as { moves: RegistryMove[] }).moves;
  }

  /** What aliases and stages named at a time. */
  async at(model: string, time: Date | string | number): Promise<RegistryAt> {
    const target = `${path`/api/v1/models/${model}/at`}${query({ time: timeText(time) })}`;
    return (await this.#caller.call({ method: 'GET', path: target })) as RegistryAt;
  }

  /** What must hold before aliases move, and moves that wait for a second person. */
  async rules(model: string): Promise<readonly AliasRuleShown[]> {
    const answer = await this.#caller.call({ method: 'GET', path: path`/api/v1/models/${model}/rules` });
    return (answer as { rules: AliasRuleShown[] }).rules;
  }

  /** @param rule null takes it away */
  async protect(model: string, alias: string, rule: AliasRuleDocument | null): Promise<void> {
    await this.#caller.call({ method: 'POST', path: path`/api/v1/models/${model}/rules`, body: { alias, rule } });
  }

  /** FORBIDDEN for who has proposed it. */
  async approve(model: string, alias: string, version: number): Promise<void> {
    const target = path`/api/v1/models/${model}/aliases/${alias}/approve`;
    await this.#caller.call({ method: 'POST', path: target, body: { version } });
  }

  async reject(model: string, alias: string, version: number, reason = ''): Promise<void> {
    const target = path`/api/v1/models/${model}/aliases/${alias}/reject`;
    await this.#caller.call({ method: 'POST', path: target, body: { version, reason } });
  }

  async #get(rest: string): Promise<unknown> {
    return await this.#caller.call({ method: 'GET', path: `${api}/${rest}` });
  }

  async #call(method: 'POST' | 'PATCH' | 'DELETE', rest: string, body: object): Promise<unknown> {
    return await this.#caller.call({ method, path: `${api}/${rest}`, body });
  }
}

interface RawPair {
  readonly key: string;
  readonly value: string;
}

interface RawModel {
  readonly name: string;
  readonly description?: string;
  readonly creation_timestamp: number;
  readonly last_updated_timestamp: number;
  readonly tags?: readonly RawPair[];
  readonly aliases?: readonly { readonly alias: string; readonly version: string }[];
}

interface RawVersion {
  readonly name: string;
  readonly version: string;
  readonly creation_timestamp: number;
  readonly last_updated_timestamp: number;
  readonly user_id?: string;
  readonly current_stage?: string;
  readonly description?: string;
  readonly source?: string;
  readonly run_id?: string;
  readonly tags?: readonly RawPair[];
  readonly aliases?: readonly string[];
}

function modelOf(raw: RawModel): RegisteredModel {
  return {
    model: raw.name,
    description: raw.description ?? '',
    createdAt: raw.creation_timestamp,
    updatedAt: raw.last_updated_timestamp,
    tags: record(raw.tags),
    aliases: Object.fromEntries((raw.aliases ?? []).map(({ alias, version }) => [alias, Number(version)])),
  };
}

function versionOf(raw: RawVersion): RegisteredVersion {
  return {
    model: raw.name,
    version: Number(raw.version),
    description: raw.description ?? '',
    createdAt: raw.creation_timestamp,
    updatedAt: raw.last_updated_timestamp,
    user: raw.user_id ?? '',
    stage: raw.current_stage ?? 'None',
    source: raw.source ?? '',
    runId: (raw.run_id ?? '') === '' ? null : (raw.run_id ?? null),
    tags: record(raw.tags),
    aliases: raw.aliases ?? [],
  };
}

function record(list: readonly RawPair[] = []): Readonly<Record<string, string>> {
  return Object.fromEntries(list.map(({ key, value }) => [key, value]));
}
