import { MillraceError } from '../../ports/errors.ts';
import { stepEnvironment } from './process-executor.ts';
import { StepProcess } from './step-process.ts';

export interface FlowDescription {
  readonly name: string;
  readonly graph: object;
  readonly triggers: readonly object[];
  readonly policy: object;
  /** What its programs need, relative to the flow's file. */
  readonly files: readonly string[];
}

/** Loads a bundle in a child process and says what flow it holds; INVALID_ARGUMENT with the reason when it is none. */
export async function describeBundle(bundlePath: string): Promise<FlowDescription> {
  const child = new StepProcess({ memoryMb: 1_024, environment: stepEnvironment() });
  child.hold();
  let errors = '';
  try {
    const said = new Promise<FlowDescription>((resolve, reject) => {
      const refuse = (message: string): void => reject(new MillraceError('INVALID_ARGUMENT', message));
      child.listen({
        message: (message) => {
          if (message.type === 'described') resolve(message as FlowDescription);
          else if (message.type === 'undescribed' || message.type === 'failed') refuse(message.message);
        },
        output: (_, chunk) => {
          errors = (errors + chunk).slice(-2_000);
        },
        ended: ({ code, signal }) =>
          refuse(`the flow ended its process while it was loaded (${signal ?? `exit code ${code}`}): ${errors.trim()}`),
      });
    });
    child.send({ type: 'describe', bundlePath });
    return await said;
  } finally {
    child.kill();
  }
}
