/** Wrong files given to the command line, and what it says of each. `FILE` stands for the file that is written. */
import { fileURLToPath } from 'node:url';

export interface BadFile {
  readonly what: string;
  readonly command: 'run' | 'deploy';
  readonly file: string;
  /** @default the file is not there */
  readonly text?: string;
  readonly exit: number;
  readonly says: readonly string[];
}

const sdk = JSON.stringify(fileURLToPath(new URL('../../../sdk/index.ts', import.meta.url)));

export const badFiles: readonly BadFile[] = [
  { what: 'a file that is not there', command: 'run', file: 'none.ts', exit: 3, says: ['NOT_FOUND', 'none.ts'] },
  {
    what: 'a flow that does not parse',
    command: 'run',
    file: 'cut.ts',
    text: 'export default flow(',
    exit: 2,
    says: ['INVALID_ARGUMENT', 'cut.ts', '1:'],
  },
  {
    what: 'an ONNX file for a flow',
    command: 'run',
    file: 'model.onnx',
    text: '\u0008\u0007\u0012',
    exit: 2,
    says: ['INVALID_ARGUMENT', 'model.onnx'],
  },
  {
    what: 'a file without a flow',
    command: 'run',
    file: 'number.ts',
    text: 'export default 3;',
    exit: 2,
    says: ['INVALID_ARGUMENT', 'number.ts', 'flow'],
  },
  {
    what: 'a flow without steps',
    command: 'run',
    file: 'empty.ts',
    text: `import { flow } from ${sdk};\nexport default flow('empty');`,
    exit: 2,
    says: ['INVALID_ARGUMENT', 'empty', 'step'],
  },
  {
    what: 'a flow that throws',
    command: 'run',
    file: 'throws.ts',
    text: `import { flow } from ${sdk};\nexport default flow('throws').step('weigh', () => { throw new Error('no weight'); });`,
    exit: 1,
    says: ['weigh', 'no weight', 'failed'],
  },
  { what: 'a file that is not there', command: 'deploy', file: 'none.yaml', exit: 3, says: ['NOT_FOUND', 'none.yaml'] },
  {
    what: 'YAML that does not parse',
    command: 'deploy',
    file: 'cut.yaml',
    text: 'name: [cut',
    exit: 2,
    says: ['INVALID_ARGUMENT', 'cut.yaml', 'line 1'],
  },
  {
    what: 'YAML without routes',
    command: 'deploy',
    file: 'routes.yaml',
    text: 'name: routeless',
    exit: 2,
    says: ['INVALID_ARGUMENT', 'routes.yaml', 'routes'],
  },
  {
    what: 'a module that exports neither',
    command: 'deploy',
    file: 'number.ts',
    text: 'export default 3;',
    exit: 2,
    says: ['INVALID_ARGUMENT', 'number.ts', 'neither a flow nor a deployment'],
  },
];
