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
      child.listener = {
        message: (message) => {
          if (message.type === 'described') resolve(message as FlowDescription);
          else if (message.type === 'undescribed') reject(new MillraceError('INVALID_ARGUMENT', message.message));
          else if (message.type === 'failed') reject(new MillraceError('INVALID_ARGUMENT', message.message));
        },
        output: (_, chunk) => {
          errors = (errors + chunk).slice(-2_000);
        },
      };
    });
    const ended = child.ended.then(({ code, signal }): never => {
      throw new MillraceError(
        'INVALID_ARGUMENT',
        `the flow ended its process while it was loaded (${signal ?? `exit code ${code}`}): ${errors.trim()}`,
      );
    });
    child.send({ type: 'describe', bundlePath });
    return await Promise.race([said, ended]);
  } finally {
    child.kill();
  }
}
