import type { ModelRegistration, StepCall, StepResult } from '../../runtime/ports/flow-code.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { ProgramToRun } from './program.ts';
import type { ProgramContext } from './program-types.ts';
import type { NewModelVersion } from './types.ts';

/** Any step as it is called: artifacts (or branches of a join) and context. */
export type StepFunction = (input: never, context: never) => unknown;

/** Calls the user's function and checks what it answers. */
export async function runStep(run: StepFunction, call: StepCall): Promise<StepResult> {
  const models: ModelRegistration[] = [];
  const joins = Object.keys(call.branches).length > 0;
  const context: ProgramContext<Readonly<Record<string, unknown>>> = {
    parameters: call.parameters,
    runId: call.runId,
    taskId: call.taskId,
    attempt: call.attempt,
    idempotencyKey: call.idempotencyKey,
    signal: call.signal,
    folder: call.folder,
    models: { register: (model, version) => void models.push(registration(call.step, model, version)) },
    log: (message, facts) => console.log(facts === undefined ? message : `${message} ${JSON.stringify(facts)}`),
  };
  const input = joins ? call.branches : call.artifacts;
  const answer: unknown = await run(
    input as never,
    (joins ? { ...context, before: call.artifacts } : context) as never,
  );
  if (answer instanceof ProgramToRun) return { artifacts: {}, models: [], program: answer.program };
  return { artifacts: artifactsOf(call.step, answer), models };
}

function artifactsOf(step: string, answer: unknown): Readonly<Record<string, unknown>> {
  if (answer === undefined || answer === null) return {};
  if (typeof answer !== 'object' || Array.isArray(answer) || ArrayBuffer.isView(answer)) {
    const got = Array.isArray(answer) ? 'a list' : ArrayBuffer.isView(answer) ? 'bytes' : `a ${typeof answer}`;
    throw invalid(`step '${step}' returned ${got}: return an object, whose properties become artifacts`);
  }
  if ((answer as { millraceFlow?: unknown }).millraceFlow === 1) {
    throw invalid(`step '${step}' returned a chain: write a branch of several steps as (branch) => branch.step(...)`);
  }
  const artifacts: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(answer)) {
    if (!/^[A-Za-z_][A-Za-z0-9_]{0,127}$/.test(name)) {
      throw invalid(`step '${step}' returned an artifact named '${name.slice(0, 130)}': use letters, digits and '_'`);
    }
    if (value !== undefined) artifacts[name] = value as unknown;
  }
  return artifacts;
}

function registration(step: string, model: string, version: NewModelVersion): ModelRegistration {
  const refuse = (what: string): MillraceError => invalid(`step '${step}' registers model '${model}': ${what}`);
  if (!(version.onnx instanceof Uint8Array) || version.onnx.length === 0)
    throw refuse('onnx must be the bytes of an ONNX file (Uint8Array)');
  for (const [name, value] of Object.entries(version.metrics ?? {})) {
    if (typeof value !== 'number' || !Number.isFinite(value))
      throw refuse(`metric '${name}' must be a finite number, got ${String(value)}`);
  }
  for (const [name, value] of Object.entries(version.tags ?? {})) {
    if (typeof value !== 'string') throw refuse(`tag '${name}' must be a text, got ${typeof value}`);
  }
  const { onnx, metrics = {}, tags = {}, alias = null, description = '' } = version;
  return { model, onnx, metrics, tags, alias, description };
}

function invalid(message: string): MillraceError {
  return new MillraceError('INVALID_ARGUMENT', message);
}
