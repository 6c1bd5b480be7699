import { hash as hashOf } from 'node:crypto';
import { MillraceError, messageOf } from '../../ports/errors.ts';

interface Pod {
  readonly name: string;
  readonly uid: string;
}

/** A pod that is gone may still be believed for so long; its task is not there any more then. */
const believedMs = 60_000;
const rememberedMax = 10_000;

/** Which pod shows a token, as the cluster says; asked again from time to time. */
export class PodTokens {
  readonly #ask: (token: string) => Promise<Pod | undefined>;
  readonly #known = new Map<string, { readonly pod: Promise<Pod | undefined>; readonly untilMs: number }>();

  constructor(ask: (token: string) => Promise<Pod | undefined>) {
    this.#ask = ask;
  }

  async podOf(token: string): Promise<Pod | undefined> {
    const key = hashOf('sha256', token, 'hex');
    const known = this.#known.get(key);
    if (known !== undefined && known.untilMs > performance.now()) return await known.pod;
    const asking = this.#ask(token);
    // while the cluster cannot be asked, what it said last holds
    const pod = asking.catch((error: unknown) => {
      this.#known.delete(key);
      if (known !== undefined) return known.pod;
      throw new MillraceError('UNAVAILABLE', `the cluster cannot be asked about a token: ${messageOf(error)}`);
    });
    this.#known.set(key, { pod, untilMs: performance.now() + believedMs });
    const [oldest] = this.#known.keys();
    if (this.#known.size > rememberedMax && oldest !== undefined) this.#known.delete(oldest);
    const found = await pod;
    if (found === undefined) this.#known.delete(key);
    return found;
  }
}
