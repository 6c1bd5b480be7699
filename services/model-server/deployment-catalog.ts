/** Deployments and the weights of their routes as they are now, from the tables; a miss, or a version that is asked for and not here yet, reads the table to its end. */
import type { Runtime, Table } from '../../runtime/engine/runtime.ts';
import { MillraceError } from '../../runtime/ports/index.ts';
import type { DeploymentDocument } from '../../schemas/deployment-document.ts';
import type { DeploymentRow, MonitoringTerms } from '../../schemas/events.ts';
import { monitoringTerms } from '../../schemas/monitoring-terms.ts';
import { initialWeights, type RouteWeight } from '../../schemas/traffic.ts';

export interface DeployedVersion {
  readonly name: string;
  readonly version: number;
  readonly document: DeploymentDocument;
  readonly terms: MonitoringTerms;
  /** 0: those that the document begins with. */
  readonly weightsVersion: number;
  readonly weights: readonly RouteWeight[];
}

export class DeploymentCatalog {
  readonly #table: Table<'deployments'>;
  readonly #routers: Table<'routers'>;
  readonly #parsed = new Map<string, DeployedVersion>();

  private constructor(table: Table<'deployments'>, routers: Table<'routers'>) {
    this.#table = table;
    this.#routers = routers;
    for (const changing of [table, routers]) changing.onChange((name) => this.#parsed.delete(name));
  }

  static async open(runtime: Runtime): Promise<DeploymentCatalog> {
    const [table, routers] = await Promise.all([runtime.openTable('deployments'), runtime.openTable('routers')]);
    return new DeploymentCatalog(table, routers);
  }

  /** As known now; undefined when the table has to be read on. */
  known(name: string, versionMin = 1): DeployedVersion | undefined {
    const row = this.#table.get(name);
    return row === undefined || row.version < versionMin ? undefined : this.#parse(row);
  }

  /** NOT_FOUND when there is none, UNAVAILABLE when `versionMin` has not arrived. */
  async find(name: string, versionMin = 1): Promise<DeployedVersion> {
    const known = this.known(name, versionMin);
    if (known !== undefined) return known;
    await this.#table.refresh();
    const row = this.#table.get(name);
    if (row === undefined) {
      throw new MillraceError('NOT_FOUND', `there is no deployment '${name.slice(0, 80)}'${this.#suggestion()}`, {
        details: { deployment: name },
      });
    }
    if (row.version >= versionMin) return this.#parse(row);
    throw new MillraceError(
      'UNAVAILABLE',
      `deployment '${name}' is at version ${row.version}, version ${versionMin} was asked for: try again`,
      { details: { deployment: name, version: row.version, versionMin } },
    );
  }

  all(): readonly DeployedVersion[] {
    return this.#table.rows().map((row) => this.#parse(row));
  }

  async close(): Promise<void> {
    await Promise.all([this.#table.close(), this.#routers.close()]);
  }

  #parse(row: DeploymentRow): DeployedVersion {
    const parsed = this.#parsed.get(row.deployment);
    if (parsed?.version === row.version) return parsed;
    const document = JSON.parse(row.document) as DeploymentDocument;
    const deployed = {
      name: row.deployment,
      version: row.version,
      document,
      terms: monitoringTerms(document),
      ...this.#weightsOf(row, document),
    };
    this.#parsed.set(row.deployment, deployed);
    return deployed;
  }

  /** A row of another version says nothing about this one: until its own comes, the document speaks. */
  #weightsOf(
    { deployment, version }: DeploymentRow,
    document: DeploymentDocument,
  ): Pick<DeployedVersion, 'weights' | 'weightsVersion'> {
    const router = this.#routers.get(deployment);
    if (router?.deploymentVersion !== version) return { weightsVersion: 0, weights: initialWeights(document) };
    return { weightsVersion: router.weightsVersion, weights: router.weights };
  }

  #suggestion(): string {
    const names = this.#table.rows().map((row) => row.deployment);
    return names.length === 0 ? ': none is deployed yet' : `; deployed are ${names.sort().slice(0, 5).join(', ')}`;
  }
}
