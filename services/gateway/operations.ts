/** Every call that changes something leaves `operation-recorded`, together with what it asks for, before it is answered. */
import type { FastifyRequest } from 'fastify';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { IdentifiedOutput } from '../../runtime/engine/service.ts';
import { MillraceError } from '../../runtime/ports/index.ts';
import { actorOf } from './security/actor.ts';

export interface Operation {
  /** Also the id of the request that it makes: `Idempotency-Key` of the caller, else a new one. */
  readonly requestId: string;
  readonly actor: string;
}

const strangersEveryMs = 60_000;

export class Operations {
  readonly #runtime: Runtime;
  readonly #actor: string;
  /** Of calls that have asked for something: a refusal is then said of the same object, behind the request. */
  readonly #asked = new WeakMap<FastifyRequest, { readonly operation: Operation; readonly object: string }>();

  /** When a call without the token was recorded last, by route. */
  readonly #strangersAt = new Map<string, number>();

  constructor(runtime: Runtime, actor: string) {
    this.#runtime = runtime;
    this.#actor = actor;
  }

  begin(request: FastifyRequest): Operation {
    return { requestId: this.#requestId(request), actor: actorOf(request, this.#actor) };
  }

  /** Publishes the operation and what it asks for; resolves when both are acknowledged. */
  async publish(
    request: FastifyRequest,
    operation: Operation,
    object: string,
    outputs: readonly IdentifiedOutput[],
    detail: object = {},
  ): Promise<void> {
    this.#asked.set(request, { operation, object });
    await this.#runtime.publish([this.#recorded(request, operation, object, 'requested', detail), ...outputs]);
  }

  /**
   * A call that was turned away is recorded too; of callers without the token one a minute and route, whatever name they give: the log is not
   * theirs to fill. One that had asked, and got a refusal for a decision, ends so: the same operation, under
   * the same key, with an id of its own, for else it would pass for a repeat of the request.
   */
  async refused(request: FastifyRequest, code: string, message: string): Promise<void> {
    const asked = this.#asked.get(request);
    const outcome = `refused: ${code}`;
    if (asked !== undefined) {
      const recorded = this.#recorded(request, asked.operation, asked.object, outcome, { message });
      await this.#runtime.publish([{ ...recorded, id: `${recorded.id}-refused` }]);
      return;
    }
    const object = request.routeOptions.url ?? '';
    const operation = { requestId: request.id, actor: this.#actor };
    if (request.isKnown === false) {
      const now = this.#runtime.parts.clock.now();
      if (now - (this.#strangersAt.get(object) ?? Number.NEGATIVE_INFINITY) < strangersEveryMs) return;
      this.#strangersAt.set(object, now);
      operation.actor = 'unauthenticated';
    } else {
      const actor = request.headers['x-millrace-actor'];
      if (typeof actor === 'string') operation.actor = actor.slice(0, 128);
    }
    await this.#runtime.publish([this.#recorded(request, operation, object, outcome, { message })]);
  }

  #recorded(
    request: FastifyRequest,
    { requestId, actor }: Operation,
    object: string,
    outcome: string,
    detail: object,
  ): IdentifiedOutput {
    const operationId = request.id;
    const action = request.routeOptions.config.action ?? 'unknown';
    const data = { operationId, action, object, actor, outcome, detail: JSON.stringify({ ...detail, requestId }) };
    return { topic: 'operations', type: 'operation-recorded', data, key: object, id: operationId };
  }

  #requestId(request: FastifyRequest): string {
    const given = request.headers['idempotency-key'];
    if (given === undefined) return this.#runtime.parts.ids.next();
    if (typeof given === 'string' && /^[\x21-\x2e\x30-\x7e]{1,128}$/.test(given)) return given;
    throw new MillraceError(
      'INVALID_ARGUMENT',
      "Idempotency-Key must be 1 to 128 printable ASCII characters without '/'",
    );
  }
}
