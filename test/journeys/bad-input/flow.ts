import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { flow } from '../../../sdk/index.ts';

/** Registers the files that it is given, each under its name; numbers below zero make its step throw. */
export default flow('bad-input')
  .parameter('folder', { type: 'string', default: '' })
  .parameter('files', { type: 'json', default: [] })
  .parameter('number', { type: 'integer', default: 0 })
  .on('measured', { parameters: { number: 'number' } })
  .step('take', (_, { parameters, models }) => {
    if (parameters.number < 0) throw new Error(`stone ${parameters.number} has no weight`);
    for (const name of parameters.files as string[])
      models.register(name, { onnx: new Uint8Array(readFileSync(join(parameters.folder, `${name}.onnx`))) });
    return { registered: (parameters.files as string[]).length };
  });
