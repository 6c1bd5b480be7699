/**
 * The one way by which the platform makes a request to an address that a user gave: only to addresses that may be reached, redirects
 * are not followed, bodies and times are limited, no more than so many at once.
 */
import { request as httpRequest } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { MillraceError, messageOf } from '../../runtime/ports/errors.ts';
import type { ReachableAddresses } from './reachable-address.ts';

export interface EgressAnswer {
  readonly status: number;
  /** Its beginning. */
  readonly body: string;
  readonly durationMs: number;
  /** What the receiver asks to be waited, milliseconds; undefined: nothing. */
  readonly retryAfterMs: number | undefined;
}

export interface EgressLimits {
  readonly timeoutMs: number;
  /** @default 1 MiB */
  readonly bodyBytesMax?: number;
  /** @default 32 */
  readonly concurrencyMax?: number;
}

const answerBytesMax = 16 * 1024;

export class EgressClient {
  readonly #addresses: ReachableAddresses;
  readonly #timeoutMs: number;
  readonly #bodyBytesMax: number;
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(addresses: ReachableAddresses, limits: EgressLimits) {
    this.#addresses = addresses;
    this.#timeoutMs = limits.timeoutMs;
    this.#bodyBytesMax = limits.bodyBytesMax ?? 1024 * 1024;
    this.#free = limits.concurrencyMax ?? 32;
  }

  /** FORBIDDEN or UNAVAILABLE when the address may not, or cannot, be reached. */
  async check(url: string): Promise<void> {
    await this.#addresses.find(new URL(url));
  }

  /**
   * Posts the body. Any status is an answer, a redirect too. FORBIDDEN: the address may not be reached; TOO_LARGE: the body;
   * UNAVAILABLE or TIMEOUT: no answer.
   */
  async post(
    url: string,
    body: string,
    headers: Readonly<Record<string, string>>,
    signal?: AbortSignal,
  ): Promise<EgressAnswer> {
    const bytes = Buffer.from(body, 'utf8');
    if (bytes.length > this.#bodyBytesMax)
      throw new MillraceError(
        'TOO_LARGE',
        `the body has ${bytes.length} bytes, a request may have ${this.#bodyBytesMax}`,
      );
    await this.#slot();
    try {
      return await this.#send(new URL(url), bytes, headers, signal);
    } finally {
      this.#free += 1;
      this.#waiting.shift()?.();
    }
  }

  async #send(
    url: URL,
    bytes: Buffer,
    headers: Readonly<Record<string, string>>,
    given?: AbortSignal,
  ): Promise<EgressAnswer> {
    const began = performance.now();
    const deadline = AbortSignal.timeout(this.#timeoutMs);
    const signal = given === undefined ? deadline : AbortSignal.any([deadline, given]);
    const late = new MillraceError('TIMEOUT', `there was no answer within ${this.#timeoutMs} ms`);
    try {
      const { address, family } = await beforeAbort(this.#addresses.find(url), signal);
      return await new Promise<EgressAnswer>((resolve, reject) => {
        const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
          method: 'POST',
          agent: false,
          signal,
          // the address that was judged, and no other
          lookup: (_, options, found) => {
            if (options.all === true) found(null, [{ address, family }]);
            else found(null, address, family);
          },
          headers: {
            'content-type': 'application/json',
            'content-length': String(bytes.length),
            'user-agent': 'millrace',
            ...headers,
          },
        });
        request.on('error', reject);
        request.on('response', (response) => {
          const parts: Buffer[] = [];
          let held = 0;
          const answered = (): void =>
            resolve({
              status: response.statusCode ?? 0,
              body: Buffer.concat(parts).toString('utf8'),
              durationMs: performance.now() - began,
              retryAfterMs: retryAfter(response.headers['retry-after']),
            });
          response.on('data', (part: Buffer) => {
            parts.push(part.subarray(0, answerBytesMax - held));
            held = Math.min(answerBytesMax, held + part.length);
            if (held < answerBytesMax) return;
            answered();
            request.destroy();
          });
          response.on('end', answered);
          response.on('error', reject);
        });
        request.end(bytes);
      });
    } catch (error) {
      if (deadline.aborted) throw late;
      if (error instanceof MillraceError) throw error;
      throw new MillraceError('UNAVAILABLE', `${url.host} could not be asked: ${messageOf(error)}`, { cause: error });
    }
  }

  async #slot(): Promise<void> {
    while (this.#free === 0) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#free -= 1;
  }
}

async function beforeAbort<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  return await new Promise<T>((resolve, reject) => {
    signal.addEventListener('abort', () => reject(new Error('it took too long')), { once: true });
    work.then(resolve, reject);
  });
}

function retryAfter(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  if (/^\d{1,6}$/.test(text)) return Number(text) * 1_000;
  const atMs = Date.parse(text);
  return Number.isNaN(atMs) ? undefined : Math.max(0, atMs - Date.now());
}
