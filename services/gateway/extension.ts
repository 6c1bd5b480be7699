/** The contract of services that answer under the gateway's rules: they add routes, and the gateway lends what every route needs. */
import type { FastifyInstance } from 'fastify';
import type { Decisions } from './decisions.ts';
import { retryAfter } from './error-answers.ts';
import type { Operation, Operations } from './operations.ts';
import type { PrefixAliases } from './prefix-aliases.ts';
import type { Seal } from './security/seal.ts';

/** Adds routes; each declares its access like those of the gateway. */
export type Extension = (app: FastifyInstance, parts: ExtensionParts) => void;

export interface ExtensionParts {
  /** Records who asks for what. */
  readonly operations: Pick<Operations, 'begin' | 'publish' | 'refused'>;
  /** Waits for what a topology decides. */
  readonly decisions: Pick<Decisions, 'ask'>;
  /** For prefixes that are other names of one. */
  readonly aliases: Pick<PrefixAliases, 'add'>;
  /** Marks what is handed out and comes back. */
  readonly seal: Seal;
}

export type { Operation };
export { retryAfter };
