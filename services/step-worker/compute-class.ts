import type { TaskDispatched } from '../../schemas/events.ts';
import { defaultCompute } from '../../schemas/flow-graph.ts';

/** Compute class that a dispatch asks for. */
export function computeOf({ settings }: Pick<TaskDispatched, 'settings'>): string {
  // most ask for none: not worth a parse
  if (settings?.includes('"compute"') !== true) return defaultCompute;
  return (JSON.parse(settings) as { readonly compute?: string }).compute ?? defaultCompute;
}

/** Name of the service, and so of its consumer group: each class hears of every dispatch, and takes its own. */
export function serviceName(compute: string): string {
  return compute === defaultCompute ? 'step-worker' : `step-worker-${compute}`;
}
