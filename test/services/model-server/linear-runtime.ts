/**
 * A model runtime whose files are JSON: `{weights, bias, failOn?}` gives y = x · weights + bias. It counts its calls and their rows, so that
 * tests see what was put together, and can be told to fail or to be slow.
 */
import {
  type LoadedModel,
  MillraceError,
  type ModelRuntime,
  type ModelSignature,
  type Tensor,
} from '../../../runtime/ports/index.ts';

export interface LinearFile {
  readonly weights: readonly number[];
  readonly bias: number;
  /** Throws when the first feature of any row is this. */
  readonly failOn?: number;
  /** @default 'dynamic' */
  readonly batch?: ModelSignature['batch'];
  /** Answers one value in all, whatever the rows: it cannot be split. */
  readonly sumsRows?: boolean;
  /** How long a call takes. @default 0 */
  readonly delayMs?: number;
}

export class LinearRuntime implements ModelRuntime {
  /** Rows of each call. */
  readonly calls: number[] = [];
  /** Calls that have begun. */
  begun = 0;
  /** Rows of calls that have begun. */
  begunRows = 0;
  /** While set, calls that have begun do not go on. */
  gate: Promise<void> | undefined;
  /** While true, calls fail as those of a server elsewhere that does not answer. */
  away = false;
  loads = 0;
  open = 0;

  load(bytes: Uint8Array): Promise<LoadedModel> {
    this.loads += 1;
    let file: LinearFile;
    try {
      file = JSON.parse(Buffer.from(bytes).toString()) as LinearFile;
    } catch {
      return Promise.reject(new MillraceError('MODEL_REFUSED', 'the file is no linear model'));
    }
    this.open += 1;
    const batch = file.batch ?? 'dynamic';
    const rows = typeof batch === 'number' ? batch : -1;
    const signature: ModelSignature = {
      inputs: [{ name: 'x', datatype: 'FP64', shape: [rows, file.weights.length] }],
      outputs: [{ name: 'y', datatype: 'FP64', shape: file.sumsRows === true ? [1] : [rows, 1] }],
      batch,
    };
    return Promise.resolve({
      signature,
      run: (inputs) => this.#run(file, inputs),
      close: () => {
        this.open -= 1;
        return Promise.resolve();
      },
    });
  }

  async #run(file: LinearFile, [input]: readonly Tensor[]): Promise<readonly Tensor[]> {
    this.begun += 1;
    this.begunRows += input!.data.length / file.weights.length;
    await new Promise<void>((resolve) =>
      file.delayMs === undefined ? setImmediate(resolve) : setTimeout(resolve, file.delayMs),
    );
    await this.gate;
    if (this.away) throw new MillraceError('UNAVAILABLE', 'the server of the model does not answer');
    const data = input!.data as Float64Array;
    const width = file.weights.length;
    const rows = data.length / width;
    this.calls.push(rows);
    const answers = new Float64Array(rows);
    for (let row = 0; row < rows; row++) {
      if (data[row * width] === file.failOn) throw new Error(`feature ${file.failOn} is cursed`);
      answers[row] = file.weights.reduce((sum, weight, index) => sum + weight * data[row * width + index]!, file.bias);
    }
    if (file.sumsRows === true) {
      return [{ name: 'y', datatype: 'FP64', shape: [1], data: Float64Array.of(answers.reduce((a, b) => a + b, 0)) }];
    }
    return [{ name: 'y', datatype: 'FP64', shape: [rows, 1], data: answers }];
  }
}

export function tensor(...rows: readonly (readonly number[])[]): Tensor {
  return {
    name: 'x',
    datatype: 'FP64',
    shape: [rows.length, rows[0]?.length ?? 2],
    data: Float64Array.from(rows.flat()),
  };
}
