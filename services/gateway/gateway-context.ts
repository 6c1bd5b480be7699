import type { FastifyInstance } from 'fastify';
import { type TSchema, Type } from 'typebox';
import type { Decisions } from './decisions.ts';
import type { EventStreams } from './event-streams.ts';
import type { ResolvedOptions } from './gateway-options.ts';
import type { Operations } from './operations.ts';
import type { PrefixAliases } from './prefix-aliases.ts';
import type { Seal } from './security/seal.ts';
import type { GatewayTables } from './tables.ts';

/** What routes work with. */
export interface GatewayContext {
  readonly options: ResolvedOptions;
  readonly operations: Operations;
  readonly decisions: Decisions;
  readonly tables: GatewayTables;
  readonly seal: Seal;
  readonly streams: EventStreams;
  readonly aliases: PrefixAliases;
}

/** Adds the routes of one concern. */
export type Routes = (app: FastifyInstance, context: GatewayContext) => void;

/** `limit` of a list in a query string. */
export const limitQuery = Type.Optional(
  Type.String({ pattern: '^[1-9][0-9]{0,3}$', description: '1 to 9999; default 50' }),
);
export const limitOf = (text: string | undefined): number => (text === undefined ? 50 : Number(text));

/** A name in a path, checked before anything looks it up. */
export const nameParam = Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' });

/** Plain JSON whose shape the description tells. */
export const anyJson = (description: string): TSchema => Type.Unsafe({ description });
