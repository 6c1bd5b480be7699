import { describe, expect, it } from 'vitest';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import { describeThrown } from '../../../runtime/ports/thrown.ts';

function thrown(error: Error, frames: readonly string[]): Error {
  error.stack = [`${error.name}: ${error.message}`, ...frames.map((frame) => `    at ${frame}`)].join('\n');
  return error;
}

const user = ['helper (flow:lib.ts:5:30)', 'Object.run (flow:flow.ts:9:19)'];
const platform = [
  'runStep (/opt/app/node_modules/millrace/sdk/flow/run-step.ts:45:25)',
  'run (file:///opt/app/node_modules/millrace/dist/runtime/adapters/process-executor/step-child.js:383:31)',
  'process.processTicksAndRejections (node:internal/process/task_queues:95:5)',
];
const shown = (text: string): string[] => text.split('\n').map((line) => line.trim());

describe('what a step threw', () => {
  it("has the user's frames, without those of the platform, which are in its trace", () => {
    const { message, stack, trace } = describeThrown(thrown(new Error('broke'), [...user, ...platform]));
    expect(message).toBe('broke');
    expect(shown(stack)).toEqual(['Error: broke', 'at helper (lib.ts:5:30)', 'at Object.run (flow.ts:9:19)']);
    expect(shown(trace)).toHaveLength(6);
    expect(trace).toContain('run-step.ts:45:25');
  });

  it('keeps frames of packages that the user has installed', () => {
    const frames = [
      'parse (flow:node_modules/csv/a.js:1:2)',
      'load (file:///p/node_modules/onnxruntime-node/b.js:3:4)',
    ];
    expect(shown(describeThrown(thrown(new Error('broke'), [...frames, ...platform])).stack)).toHaveLength(3);
  });

  it('counts a frame without a file to whoever called it', () => {
    const frames = ['flow:flow.ts:2:1', 'Array.map (<anonymous>)', 'Object.run (flow:flow.ts:1:1)'];
    const ours = ['toJson (/opt/millrace/schemas/a.ts:1:1)', 'Array.map (<anonymous>)', ...platform];
    expect(shown(describeThrown(thrown(new Error('broke'), [...frames, ...ours])).stack)).toEqual([
      'Error: broke',
      'at flow.ts:2:1',
      'at Array.map (<anonymous>)',
      'at Object.run (flow.ts:1:1)',
    ]);
  });

  it("has no trace when all frames are the user's", () => {
    expect(describeThrown(thrown(new Error('broke'), user)).trace).toBe('');
  });

  it('tells causes, errors within an error, and what a typed error knows', () => {
    class TrainingError extends Error {
      override readonly name = 'TrainingError';
      readonly epoch = 7;
    }
    const cause = new TypeError('no file', { cause: 'the disk' });
    const error = new TrainingError('diverged', { cause: thrown(cause, [...user, ...platform]) });
    const { stack, trace } = describeThrown(thrown(error, [...user, ...platform]));
    expect(shown(stack)).toEqual([
      'TrainingError: diverged { epoch: 7 }',
      'at helper (lib.ts:5:30)',
      'at Object.run (flow.ts:9:19)',
      'caused by TypeError: no file',
      'at helper (lib.ts:5:30)',
      'at Object.run (flow.ts:9:19)',
      'caused by the disk',
    ]);
    expect(trace.match(/run-step/g)).toHaveLength(2);
    const many = describeThrown(thrown(new AggregateError([new Error('one'), 'two'], 'many'), [])).stack;
    expect(many).toMatch(/many\none of them: Error: one[^]*\none of them: two$/);
  });

  it('ends where causes go in circles, and says nothing of how an error of the platform is made', () => {
    const error = thrown(new Error('round'), user);
    error.cause = error;
    expect(describeThrown(error).stack.match(/round/g)).toHaveLength(6);
    const refused = new MillraceError('INVALID_ARGUMENT', 'artifact refused');
    expect(describeThrown(thrown(refused, platform)).stack).toBe('MillraceError: artifact refused');
  });

  it.each([
    ['just text', 'the step threw just text'],
    [undefined, 'the step threw undefined'],
    [{ code: 3 }, 'the step threw { code: 3 }'],
  ])('shows what is no error: %j', (value, message) => {
    expect(describeThrown(value)).toEqual({ message, stack: '', trace: '' });
  });
});
