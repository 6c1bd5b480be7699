/** Answers by what was asked, for deployments that want equal inputs to be answered once. Of one process; a new version begins anew. */
import type { Clock } from '../../runtime/ports/index.ts';
import type { Answer, Place } from './outcomes.ts';
import type { PredictionRequest } from './prediction-request.ts';

type Kept = Pick<Answer, 'rows' | 'outputs' | 'model' | 'steps'>;

interface Entry {
  readonly answer: Kept;
  readonly until: number;
}

export class AnswerCache {
  readonly #clock: Clock;
  /** By deployment; the newest used is last. */
  readonly #caches = new Map<string, { readonly version: number; readonly entries: Map<string, Entry> }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** undefined when the deployment keeps none, or has none of these inputs. */
  get({ inputDigest }: PredictionRequest, { deployed, route }: Place): Kept | undefined {
    if (deployed.document.cache === undefined) return undefined;
    const entries = this.#caches.get(deployed.name);
    const key = keyOf(route.name, inputDigest);
    const entry = entries?.version === deployed.version ? entries.entries.get(key) : undefined;
    if (entry === undefined || entries === undefined) return undefined;
    entries.entries.delete(key);
    if (this.#clock.now() > entry.until) return undefined;
    entries.entries.set(key, entry);
    return entry.answer;
  }

  keep({ inputDigest }: PredictionRequest, { deployed, route }: Place, answer: Kept): void {
    const { cache } = deployed.document;
    if (cache === undefined) return;
    let kept = this.#caches.get(deployed.name);
    if (kept === undefined || kept.version < deployed.version) {
      kept = { version: deployed.version, entries: new Map() };
      this.#caches.set(deployed.name, kept);
    }
    if (kept.version !== deployed.version) return;
    kept.entries.set(keyOf(route.name, inputDigest), { answer, until: this.#clock.now() + cache.ttlMs });
    for (const oldest of kept.entries.keys()) {
      if (kept.entries.size <= cache.entries) break;
      kept.entries.delete(oldest);
    }
  }
}

const keyOf = (route: string, inputDigest: string): string => `${route}/${inputDigest}`;
