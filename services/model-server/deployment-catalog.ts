/** Deployments as they are now, from the table; a miss, or a version that is asked for and not here yet, reads the table to its end. */
import type { Runtime, Table } from '../../runtime/engine/runtime.ts';
import { MillraceError } from '../../runtime/ports/index.ts';
import type { DeploymentDocument } from '../../schemas/deployment-document.ts';
import type { DeploymentRow, MonitoringTerms } from '../../schemas/events.ts';
import { monitoringTerms } from '../../schemas/monitoring-terms.ts';

export interface DeployedVersion {
  readonly name: string;
  readonly version: number;
  readonly document: DeploymentDocument;
  readonly terms: MonitoringTerms;
}

export class DeploymentCatalog {
  readonly #table: Table<'deployments'>;
  readonly #parsed = new Map<string, DeployedVersion>();

  private constructor(table: Table<'deployments'>) {
    this.#table = table;
    table.onChange((name, row) => {
      if (row === undefined) this.#parsed.delete(name);
    });
  }

  static async open(runtime: Runtime): Promise<DeploymentCatalog> {
    return new DeploymentCatalog(await runtime.openTable('deployments'));
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

  close(): Promise<void> {
    return this.#table.close();
  }

  #parse(row: DeploymentRow): DeployedVersion {
    const parsed = this.#parsed.get(row.deployment);
    if (parsed?.version === row.version) return parsed;
    const document = JSON.parse(row.document) as DeploymentDocument;
    const deployed = { name: row.deployment, version: row.version, document, terms: monitoringTerms(document) };
    this.#parsed.set(row.deployment, deployed);
    return deployed;
  }

  #suggestion(): string {
    const names = this.#table.rows().map((row) => row.deployment);
    return names.length === 0 ? ': none is deployed yet' : `; deployed are ${names.sort().slice(0, 5).join(', ')}`;
  }
}
