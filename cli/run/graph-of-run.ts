/** The graph with which a run, or the one that it resumes, was requested. */
import type { FlowGraph } from '../../schemas/flow-graph.ts';
import type { Client, TopicEvent } from '../../sdk/client/index.ts';

/** What a run keeps of its request may be gone from the log: then it is not waited for. */
const requestMs = 5_000;
const hopsMax = 100;

type Requested = Extract<TopicEvent<'runs'>, { type: 'run-requested' }>['data'];

/** Undefined when no request tells it any more. */
export async function graphOfRun(client: Client, runId: string): Promise<FlowGraph | undefined> {
  let of: string | undefined = runId;
  for (let hop = 0; of !== undefined && hop < hopsMax; hop++) {
    const requested: Requested | undefined = await requestOf(client, of);
    if (requested === undefined) return undefined;
    if (requested.graph !== '') return JSON.parse(requested.graph) as FlowGraph;
    of = requested.resume?.runId;
  }
  return undefined;
}

async function requestOf(client: Client, runId: string): Promise<Requested | undefined> {
  let tell: (requested: Requested | undefined) => void = () => undefined;
  const told = new Promise<Requested | undefined>((resolve) => (tell = resolve));
  const timer = setTimeout(() => tell(undefined), requestMs);
  const events = client.runs.follow(runId, ({ type, data }) => {
    if (type === 'run-requested') tell(data);
  });
  events.done.then(
    () => tell(undefined),
    () => tell(undefined),
  );
  try {
    return await told;
  } finally {
    clearTimeout(timer);
    await events.close();
  }
}
