/**
 * Deployments and the weights of their routes, as this process serves them. A new version of a deployment is loaded beside the one that
 * is served, and takes its place when it can answer; until then, and for as long as it cannot be loaded, the older one goes on. A miss, or
 * a version that is asked for and not here yet, reads the table to its end.
 */
import type { Runtime, Table } from '../../runtime/engine/runtime.ts';
import { type Clock, MillraceError, messageOf } from '../../runtime/ports/index.ts';
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
  /** A route that gets copies of requests while its rollout is in the shadow. */
  readonly mirrored?: { readonly route: string; readonly percent: number } | undefined;
}

/** Makes a version able to answer; rejects with what stands in the way. */
export type PrepareVersion = (next: DeployedVersion) => Promise<void>;

/** A version that is not served yet. */
interface Next {
  readonly version: number;
  /** Why it could not be prepared the last time. */
  problem: unknown;
  /** The first attempt is over. Never rejects. */
  readonly tried: Promise<void>;
}

/** Waits between attempts to prepare a version. */
const retryMs = { first: 250, most: 30_000 };

export class DeploymentCatalog {
  readonly #table: Table<'deployments'>;
  readonly #routers: Table<'routers'>;
  readonly #clock: Clock;
  readonly #served = new Map<string, DeployedVersion>();
  readonly #next = new Map<string, Next>();
  #prepare: PrepareVersion = () => Promise.resolve();
  #closed = false;

  private constructor(table: Table<'deployments'>, routers: Table<'routers'>, clock: Clock) {
    this.#table = table;
    this.#routers = routers;
    this.#clock = clock;
    for (const row of table.rows()) this.#served.set(row.deployment, this.#parse(row));
    table.onChange((name, row) => this.#rowChanged(name, row));
    routers.onChange((name) => this.#weightsChanged(name));
  }

  static async open(runtime: Runtime): Promise<DeploymentCatalog> {
    const [table, routers] = await Promise.all([runtime.openTable('deployments'), runtime.openTable('routers')]);
    return new DeploymentCatalog(table, routers, runtime.parts.clock);
  }

  /** What a new version has to pass before it is served. @default nothing */
  prepareWith(prepare: PrepareVersion): void {
    this.#prepare = prepare;
  }

  /** As served now; undefined when the table has to be read on, or the version that is asked for is still prepared. */
  known(name: string, versionMin = 1): DeployedVersion | undefined {
    const served = this.#served.get(name);
    return served === undefined || served.version < versionMin ? undefined : served;
  }

  /**
   * Waits for a version that is still prepared. NOT_FOUND when there is no such deployment, UNAVAILABLE when `versionMin` has not arrived,
   * else what keeps that version from being served.
   */
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
    const next = this.#next.get(name);
    await next?.tried;
    const served = this.known(name, versionMin);
    if (served !== undefined) return served;
    if (next?.problem instanceof MillraceError && row.version >= versionMin) throw next.problem;
    throw new MillraceError(
      'UNAVAILABLE',
      `deployment '${name}' is at version ${row.version}, version ${versionMin} was asked for: try again`,
      { details: { deployment: name, version: row.version, versionMin } },
    );
  }

  /** Why the newest version is not the one that is served; undefined: it is. */
  waiting(name: string): { readonly version: number; readonly problem: string } | undefined {
    const next = this.#next.get(name);
    if (next === undefined) return undefined;
    return { version: next.version, problem: next.problem === undefined ? 'it is loading' : messageOf(next.problem) };
  }

  all(): readonly DeployedVersion[] {
    return [...this.#served.values()];
  }

  async close(): Promise<void> {
    this.#closed = true;
    await Promise.all([this.#table.close(), this.#routers.close()]);
  }

  #rowChanged(name: string, row: DeploymentRow | undefined): void {
    const served = this.#served.get(name);
    if (row === undefined) {
      this.#served.delete(name);
      this.#next.delete(name);
    } else if (served === undefined) {
      this.#served.set(name, this.#parse(row));
    } else if (row.version !== served.version) {
      this.#replace(row);
    }
  }

  /** Until it is served, whoever asks for the deployment gets the version before it. */
  #replace(row: DeploymentRow): void {
    const name = row.deployment;
    let triedOnce = (): void => undefined;
    const tried = new Promise<void>((resolve) => {
      triedOnce = resolve;
    });
    const next: Next = { version: row.version, problem: undefined, tried };
    this.#next.set(name, next);
    const isNext = (): boolean => !this.#closed && this.#next.get(name) === next;
    const attempt = async (waitMs: number): Promise<void> => {
      try {
        await this.#prepare(this.#parse(row));
        if (!isNext()) return;
        this.#next.delete(name);
        this.#served.set(name, this.#parse(row));
      } catch (error) {
        next.problem = error;
        if (!(error instanceof MillraceError) || !error.retryable || !isNext()) return;
        const later = Math.min(waitMs * 2, retryMs.most);
        this.#clock.after(waitMs, () => void (isNext() && attempt(later)));
      } finally {
        triedOnce();
      }
    };
    void attempt(retryMs.first);
  }

  #weightsChanged(name: string): void {
    const served = this.#served.get(name);
    if (served !== undefined) this.#served.set(name, { ...served, ...this.#weightsOf(served) });
  }

  #parse(row: DeploymentRow): DeployedVersion {
    const { deployment: name, version } = row;
    const document = JSON.parse(row.document) as DeploymentDocument;
    return {
      name,
      version,
      document,
      terms: monitoringTerms(document),
      ...this.#weightsOf({ name, version, document }),
    };
  }

  /** A row of another version says nothing about this one: until its own comes, what is in force stays. */
  #weightsOf({
    name,
    version,
    document,
  }: Pick<DeployedVersion, 'name' | 'version' | 'document'>): Pick<
    DeployedVersion,
    'weights' | 'weightsVersion' | 'mirrored'
  > {
    const router = this.#routers.get(name);
    if (router?.deploymentVersion === version) {
      const { weightsVersion, weights, rollout } = router;
      const mirrored =
        rollout !== null && rollout.shadowPercent > 0
          ? { route: rollout.canary, percent: rollout.shadowPercent }
          : undefined;
      return { weightsVersion, weights, mirrored };
    }
    const served = this.#served.get(name);
    if (served?.version === version) {
      const { weightsVersion, weights, mirrored } = served;
      return { weightsVersion, weights, mirrored };
    }
    return { weightsVersion: 0, weights: initialWeights(document) };
  }

  #suggestion(): string {
    const names = this.#table.rows().map((row) => row.deployment);
    return names.length === 0 ? ': none is deployed yet' : `; deployed are ${names.sort().slice(0, 5).join(', ')}`;
  }
}
