/** The metrics of a run as they are now, by MLflow's API, for a model that the step registers without any. */

const timeoutMs = 10_000;

interface RunAnswer {
  readonly run?: {
    readonly data?: { readonly metrics?: readonly { readonly key: string; readonly value: unknown }[] };
  };
}

/** @param environment of the step; without the address of a gateway in it, or while that is away, there are none */
export async function runMetrics(
  runId: string,
  environment: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, number>>> {
  const { MLFLOW_TRACKING_URI: url = '', MLFLOW_TRACKING_TOKEN: token = '' } = environment;
  if (!/^https?:/.test(url)) return {};
  try {
    const address = new URL(`/api/2.0/mlflow/runs/get?run_id=${encodeURIComponent(runId)}`, url);
    const headers: Record<string, string> = token === '' ? {} : { authorization: `Bearer ${token}` };
    const answer = await fetch(address, { headers, signal: AbortSignal.timeout(timeoutMs) });
    if (!answer.ok) return {};
    const { run } = (await answer.json()) as RunAnswer;
    return finite(Object.fromEntries((run?.data?.metrics ?? []).map(({ key, value }) => [key, Number(value)])));
  } catch {
    return {};
  }
}

/** The registry compares numbers alone. */
export function finite(metrics: Readonly<Record<string, number>>): Readonly<Record<string, number>> {
  return Object.fromEntries(Object.entries(metrics).filter(([, value]) => Number.isFinite(value)));
}

/** For `JSON.stringify`, which would make null of them: `NaN` and infinities as texts, as MLflow writes them. */
export function withoutLoss(_: string, value: unknown): unknown {
  return typeof value === 'number' && !Number.isFinite(value) ? String(value) : value;
}
