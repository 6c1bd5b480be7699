import type { Runtime, Table } from '../../runtime/engine/runtime.ts';
import type { DeploymentDocument } from '../../schemas/deployment-document.ts';
import { partitionOf } from '../../schemas/partitioner.ts';

/**
 * Documents by deployment and version. A window is judged by the version that made its predictions, also when the deployment has moved
 * on: then the document is read from `deployment-events`, where every version stays.
 */
export class DeploymentDocuments {
  readonly #runtime: Runtime;
  readonly #table: Table<'deployments'>;
  readonly #known = new Map<string, DeploymentDocument>();

  private constructor(runtime: Runtime, table: Table<'deployments'>) {
    this.#runtime = runtime;
    this.#table = table;
    for (const { deployment, version, document } of table.rows()) this.#keep(deployment, version, document);
    table.onChange((_, row) => {
      if (row !== undefined) this.#keep(row.deployment, row.version, row.document);
    });
  }

  static async open(runtime: Runtime): Promise<DeploymentDocuments> {
    return new DeploymentDocuments(runtime, await runtime.openTable('deployments'));
  }

  async find(deployment: string, version: number): Promise<DeploymentDocument | undefined> {
    const key = keyOf(deployment, version);
    if (!this.#known.has(key)) await this.#table.refresh();
    if (!this.#known.has(key)) await this.#readEvents(deployment);
    return this.#known.get(key);
  }

  close(): Promise<void> {
    return this.#table.close();
  }

  async #readEvents(wanted: string): Promise<void> {
    const { parts } = this.#runtime;
    const topic = this.#runtime.topic('deployment-events');
    const partition = partitionOf(wanted, this.#runtime.partitions('deployment-events'));
    for await (const records of parts.log.read({ topic, partition }, { from: 0 })) {
      for (const record of records) {
        if (record.key?.toString('utf8') !== wanted) continue;
        const event = await this.#runtime.decode('deployment-events', record).catch(() => undefined);
        if (event?.type !== 'deployment-applied') continue;
        const { deployment, version, document } = event.data;
        this.#keep(deployment, version, document);
      }
    }
  }

  #keep(deployment: string, version: number, document: string): void {
    this.#known.set(keyOf(deployment, version), JSON.parse(document) as DeploymentDocument);
    for (const oldest of this.#known.keys()) {
      if (this.#known.size <= documentsMax) break;
      this.#known.delete(oldest);
    }
  }
}

const documentsMax = 1_000;

const keyOf = (deployment: string, version: number): string => `${deployment}/${version}`;
