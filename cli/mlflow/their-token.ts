/** Which bearer token goes to the other server of an import or export. */

export interface TheirToken {
  /** Of the option `--token`: it goes where its user says. */
  readonly given: string | undefined;
  readonly uri: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
  readonly platform: { readonly url: string; readonly token: string };
}

/**
 * MLFLOW_TRACKING_TOKEN belongs to the server that MLFLOW_TRACKING_URI names, and often that is this platform: it is told to no other
 * origin, and the platform's own token to none but the platform.
 */
export function theirToken({ given, uri, environment, platform }: TheirToken): string | undefined {
  if (given !== undefined) return given;
  const { MLFLOW_TRACKING_URI, MLFLOW_TRACKING_TOKEN } = environment;
  if (MLFLOW_TRACKING_TOKEN === undefined || !sameOrigin(MLFLOW_TRACKING_URI, uri)) return undefined;
  return MLFLOW_TRACKING_TOKEN === platform.token && !sameOrigin(platform.url, uri) ? undefined : MLFLOW_TRACKING_TOKEN;
}

function sameOrigin(a: string | undefined, b: string): boolean {
  if (a === undefined || !URL.canParse(a) || !URL.canParse(b)) return false;
  const [one, other] = [new URL(a), new URL(b)];
  return one.protocol === other.protocol && one.host === other.host;
}
