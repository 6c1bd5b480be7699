import { MillraceError } from '../../ports/index.ts';

/** Where a model of another server is asked. */
export interface RemoteAddress {
  readonly protocol: 'http' | 'grpc';
  /** HTTP: what comes before `/v2`; gRPC: host:port. */
  readonly server: string;
  readonly tls: boolean;
  /** host:port, as the operator allows it. */
  readonly host: string;
  readonly model: string;
  /** '' is whichever the server chooses. */
  readonly version: string;
}

/** `http(s)://host:port[/path]/v2/models/<model>[/versions/<version>]` or `grpc(s)://host:port/<model>[/<version>]`; else MODEL_REFUSED. */
export function parseRemoteAddress(source: string): RemoteAddress {
  const http =
    /^(https?:\/\/([^/\s?#@]+)(?:\/[^\s?#]*?)?)\/v2\/models\/([^/\s?#]+)(?:\/versions\/([^/\s?#]+))?\/?$/.exec(source);
  if (http !== null) {
    const [, server = '', host = '', model = '', version = ''] = http;
    const tls = source.startsWith('https:');
    return {
      protocol: 'http',
      server,
      tls,
      host: withPort(host, tls ? 443 : 80),
      model: decodeURIComponent(model),
      version,
    };
  }
  const grpc = /^(grpcs?):\/\/([^/\s?#@]+:\d{1,5})\/([^/\s?#]+)(?:\/([^/\s?#]+))?\/?$/.exec(source);
  if (grpc !== null) {
    const [, scheme, host = '', model = '', version = ''] = grpc;
    return { protocol: 'grpc', server: host, tls: scheme === 'grpcs', host, model: decodeURIComponent(model), version };
  }
  throw new MillraceError(
    'MODEL_REFUSED',
    `model refused: '${source.slice(0, 200)}' is no model of an Open Inference Protocol server: name it http://host:port/v2/models/<model> or grpc://host:port/<model>`,
  );
}

const withPort = (host: string, port: number): string => (/:\d+$/.test(host) ? host : `${host}:${port}`);
