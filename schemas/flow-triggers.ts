/** Which events start a flow, and how their payload becomes parameters. */

export interface FlowTrigger {
  /** Name of the trigger event. */
  readonly event: string;
  /**
   * Parameter to property of the payload, nested ones by dots. An event that lacks a mapped property does not match. Without a map,
   * payload properties that are named like parameters are used.
   */
  readonly parameters?: Readonly<Record<string, string>>;
}

export type TriggerMatch =
  | { readonly parameters: Readonly<Record<string, unknown>>; readonly unmatched?: undefined }
  | { readonly unmatched: string };

/** The parameters that an event brings to a flow, or why it does not match. */
export function matchTrigger(
  trigger: FlowTrigger,
  event: { readonly name: string; readonly payload: Readonly<Record<string, unknown>> },
  parameterNames: readonly string[],
): TriggerMatch {
  if (trigger.event !== event.name) return { unmatched: `it waits for '${trigger.event}'` };
  const parameters: Record<string, unknown> = {};
  if (trigger.parameters === undefined) {
    for (const name of parameterNames) {
      if (Object.hasOwn(event.payload, name)) parameters[name] = event.payload[name];
    }
    return { parameters };
  }
  for (const [name, path] of Object.entries(trigger.parameters)) {
    const value = valueAt(event.payload, path);
    if (value === undefined) return { unmatched: `the payload has no '${path}' for parameter '${name}'` };
    parameters[name] = value;
  }
  return { parameters };
}

/** What is wrong with triggers; empty when nothing is. */
export function triggerProblems(value: unknown, parameterNames: readonly string[]): readonly string[] {
  if (!Array.isArray(value)) return ['triggers must be a list'];
  return value.flatMap((item: unknown, index) => {
    const trigger = item as Partial<FlowTrigger> | null;
    if (typeof trigger !== 'object' || trigger === null || typeof trigger.event !== 'string' || trigger.event === '')
      return [`triggers[${index}].event must be the name of an event`];
    const { parameters } = trigger;
    if (parameters === undefined) return [];
    if (typeof parameters !== 'object' || parameters === null)
      return [`triggers[${index}].parameters must map parameters to properties of the payload`];
    return Object.entries(parameters).flatMap(([name, path]) => {
      if (!parameterNames.includes(name))
        return [`trigger '${trigger.event}' sets parameter '${name}', which the flow does not have`];
      return typeof path === 'string' ? [] : [`trigger '${trigger.event}': the property for '${name}' must be a text`];
    });
  });
}

function valueAt(payload: Readonly<Record<string, unknown>>, path: string): unknown {
  let value: unknown = payload;
  for (const part of path.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Readonly<Record<string, unknown>>)[part];
  }
  return value;
}
