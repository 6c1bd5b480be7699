/** What the gateway lends; its own parts fit. */
import type { FastifyRequest } from 'fastify';
import type { IdentifiedOutput } from '../../../runtime/engine/service.ts';

export interface Operation {
  readonly requestId: string;
  readonly actor: string;
}

export interface GatewayParts {
  readonly operations: {
    begin(request: FastifyRequest): Operation;
    publish(
      request: FastifyRequest,
      operation: Operation,
      object: string,
      outputs: readonly IdentifiedOutput[],
      detail?: object,
    ): Promise<void>;
    refused(request: FastifyRequest, code: string, message: string): Promise<void>;
  };
  readonly decisions: {
    ask(type: DecisionType, subject: string, requestId: string, publish: () => Promise<void>): Promise<object>;
  };
}

type DecisionType = 'experiment-created' | 'experiment-changed' | 'edited' | 'version-registered' | 'alias-set';
