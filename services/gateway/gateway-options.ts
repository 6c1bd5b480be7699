import { userInfo } from 'node:os';
import type { Registry } from 'prom-client';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import type { Extension } from './extension.ts';
import type { Inference } from './inference.ts';
import type { Maintenance } from './maintenance.ts';
import type { Queries } from './queries.ts';

export interface GatewayOptions {
  readonly runtime: Runtime;
  /** Absent: this process predicts nothing, and `/v2` says so. */
  readonly inference?: Inference | undefined;
  readonly queries: Queries;
  /** Absent: no routes for dead letters, tasks and topics. */
  readonly maintenance?: Maintenance | undefined;
  /** Routes that other services answer, under the gateway's rules. @default none */
  readonly extensions?: readonly Extension[] | undefined;
  readonly metrics: Registry;
  /** Said by `/v2`. */
  readonly version: string;
  /** Address to listen on; any but a loopback address needs a token. @default '127.0.0.1' */
  readonly host?: string | undefined;
  /** 0 takes a free port. @default 7400 */
  readonly port?: number | undefined;
  /** Port of gRPC, on the same address; 0 takes a free one. @default no gRPC */
  readonly grpcPort?: number | undefined;
  /** Bearer token that every call but the probes must carry. @default none is asked for */
  readonly token?: string | undefined;
  /** Names, besides loopback ones, that the Host header may have. @default none */
  readonly hosts?: readonly string[] | undefined;
  /** Who is named as actor when a call does not say. @default the user of the operating system */
  readonly actor?: string | undefined;
  /** Largest body of a call, bytes. @default 1 MiB */
  readonly bodyBytesMax?: number | undefined;
  /** Largest bundle of a flow, bytes. @default 16 MiB */
  readonly bundleBytesMax?: number | undefined;
  /** How long a client may take to send a request. @default 30000 */
  readonly requestTimeoutMs?: number | undefined;
  /** @default 1024 */
  readonly connectionsMax?: number | undefined;
  /** Open event streams. @default 64 */
  readonly streamsMax?: number | undefined;
  /** How long a call waits for the decision that it asked for. @default 15000 */
  readonly decisionTimeoutMs?: number | undefined;
  /** Why the process should get no work, for `/readyz`. @default it should */
  readonly unready?: (() => string | undefined) | undefined;
}

type Optional = 'inference' | 'maintenance' | 'token' | 'grpcPort';

/** Every default filled in. */
export type ResolvedOptions = {
  readonly [K in Exclude<keyof GatewayOptions, Optional>]-?: Exclude<GatewayOptions[K], undefined>;
} & { readonly [K in Optional]: GatewayOptions[K] };

export function resolveOptions(options: GatewayOptions): ResolvedOptions {
  return {
    runtime: options.runtime,
    inference: options.inference,
    queries: options.queries,
    maintenance: options.maintenance,
    extensions: options.extensions ?? [],
    metrics: options.metrics,
    version: options.version,
    host: options.host ?? '127.0.0.1',
    port: options.port ?? 7400,
    grpcPort: options.grpcPort,
    token: options.token === '' ? undefined : options.token,
    hosts: options.hosts ?? [],
    actor: options.actor ?? userInfo().username,
    bodyBytesMax: options.bodyBytesMax ?? 1024 * 1024,
    bundleBytesMax: options.bundleBytesMax ?? 16 * 1024 * 1024,
    requestTimeoutMs: options.requestTimeoutMs ?? 30_000,
    connectionsMax: options.connectionsMax ?? 1024,
    streamsMax: options.streamsMax ?? 64,
    decisionTimeoutMs: options.decisionTimeoutMs ?? 15_000,
    unready: options.unready ?? (() => undefined),
  };
}
