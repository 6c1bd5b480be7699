/** Runs of a flow are tracked runs of one experiment, which follows from the flow's name: nobody has to make it. */
import { hash } from 'node:crypto';

interface FlowExperiment {
  /** Digits, as MLflow's are. */
  readonly id: string;
  readonly name: string;
  readonly artifactLocation: string;
}

const prefix = 'flows/';

export function experimentOfFlow(flow: string): FlowExperiment {
  const number = hash('sha256', `experiment\u0000${flow}`, 'buffer').readUIntBE(0, 6);
  const id = `8${String(number).padStart(15, '0')}`;
  return { id, name: `${prefix}${flow}`, artifactLocation: `mlflow-artifacts:/${id}` };
}

/** The flow whose experiment has this name; undefined when it is the name of none. */
export function flowOfExperiment(name: string): string | undefined {
  const flow = name.slice(prefix.length);
  return name.startsWith(prefix) && flow !== '' ? flow : undefined;
}
