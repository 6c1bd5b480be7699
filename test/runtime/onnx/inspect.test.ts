import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { inspectOnnx } from '../../../runtime/adapters/onnx/inspect.ts';
import { createOnnxRuntime } from '../../../runtime/adapters/onnx/onnx-runtime.ts';
import type { RefusalReason } from '../../../runtime/adapters/onnx/refusal.ts';
import { hasCode } from '../../../runtime/ports/index.ts';
import { modelFile } from './model-cases.ts';
import { refusal } from './refusal-of.ts';
import {
  attribute,
  externalTensor,
  type Field,
  graph,
  identity,
  message,
  model,
  node,
  operatorSet,
  sparse,
  tensor,
  tensorType,
  twoFloats,
  twoIndices,
  valueInfo,
  withInitializer,
} from './onnx-writer.ts';

const constant = (...fields: readonly Field[]): Uint8Array =>
  node({ operator: 'Constant', outputs: ['c'], attributes: [attribute('value', 4, ...fields)] });
const branch = (nodes: readonly Uint8Array[], ...fields: readonly Field[]): Uint8Array =>
  message(...nodes.map((bytes): Field => [1, bytes]), [2, 'branch'], ...fields);
const ifNode = (thenBranch: Uint8Array): Uint8Array =>
  node({ operator: 'If', inputs: ['x'], outputs: ['y'], attributes: [attribute('then_branch', 5, [6, thenBranch])] });
const functionOf = (domain: string, name: string, ...nodes: readonly Uint8Array[]): Uint8Array =>
  message(
    [1, name],
    [4, 'x'],
    [5, 'y'],
    ...nodes.map((bytes): Field => [7, bytes]),
    [9, operatorSet('', 17)],
    [10, domain],
  );
const call = (name: string): Uint8Array => node({ operator: name, domain: 'own', inputs: ['x'], outputs: ['y'] });

/** The least of so many measurements, or the first below the limit: what takes long by its bytes does so each time, a machine that stands still does not. */
function leastOf(times: number, measure: () => number, limit: number): number {
  let least = Number.POSITIVE_INFINITY;
  for (let time = 0; time < times && least >= limit; time++) least = Math.min(least, measure());
  return least;
}

describe('inspectOnnx', () => {
  it('passes what the runtime loads too', async () => {
    const bytes = model(graph([identity]));
    expect(inspectOnnx(bytes).signature).toEqual({
      inputs: [{ name: 'x', datatype: 'FP32', shape: [-1] }],
      outputs: [{ name: 'y', datatype: 'FP32', shape: [-1] }],
      batch: 'dynamic',
    });
    await (await createOnnxRuntime().load(bytes)).close();
  });

  it.each<[string, Uint8Array, RegExp]>([
    [
      'an initializer',
      withInitializer(externalTensor('w')),
      /graph > initializer "w": external data in "\.\.\/weights\.bin"/,
    ],
    [
      'an initializer that only says so',
      withInitializer(tensor([1, 1], [2, 1], [14, 1])),
      /initializer "w": external data/,
    ],
    [
      'an initializer that denies it',
      withInitializer(
        tensor([1, 1], [2, 1], [9, new Uint8Array(4)], [13, message([1, 'location'], [2, 'f'])], [14, 0]),
      ),
      /external data in "f"/,
    ],
    [
      'sparse values',
      model(graph([identity], [15, sparse(externalTensor('s'), twoIndices, 9)])),
      /sparse tensor > values/,
    ],
    [
      'sparse indices',
      model(graph([identity], [15, sparse(twoFloats, externalTensor('i'), 9)])),
      /sparse tensor > indices/,
    ],
    [
      'an attribute',
      model(graph([constant([5, externalTensor('')]), identity])),
      /node 0 \(Constant\) > attribute "value"/,
    ],
    [
      'an attribute with many',
      model(graph([constant([10, externalTensor('')]), identity])),
      /attribute "value" > tensor/,
    ],
    [
      'a sparse attribute',
      model(graph([constant([22, sparse(twoFloats, externalTensor('i'), 9)]), identity])),
      /attribute "value" > sparse tensor > indices/,
    ],
    [
      'a graph inside',
      model(graph([ifNode(branch([identity], [5, externalTensor('w')]))])),
      /node 0 \(If\) > attribute "then_branch" > initializer "w"/,
    ],
    [
      'a graph inside of a graph inside',
      model(graph([ifNode(branch([ifNode(branch([constant([5, externalTensor('')])]))]))])),
      /node 0 \(If\).*node 0 \(If\).*node 0 \(Constant\)/,
    ],
    [
      'a function',
      model(graph([call('f')]), [25, functionOf('own', 'f', constant([5, externalTensor('')]), identity)]),
      /function "own:f" > node 0 \(Constant\)/,
    ],
    [
      'a default of a function',
      model(graph([call('f')]), [
        25,
        message([1, 'f'], [10, 'own'], [7, identity], [4, 'x'], [11, attribute('a', 4, [5, externalTensor('')])]),
      ]),
      /function "own:f" > attribute "a"/,
    ],
    [
      'a training graph',
      model(graph([identity]), [20, message([2, branch([], [5, externalTensor('w')])])]),
      /training_info > algorithm > initializer "w"/,
    ],
  ])('finds external data in %s', (_, bytes, where) => {
    const { reason, message: text } = refusal(bytes);
    expect([reason, text]).toEqual(['external-data', expect.stringMatching(where)]);
  });

  const custom = node({ operator: 'Evil', domain: 'ai.example', inputs: ['x'], outputs: ['y'] });
  it.each<[string, RefusalReason, Uint8Array]>([
    ['of a custom domain', 'custom-operator', model(graph([custom]))],
    [
      'of a custom domain that is imported',
      'custom-operator',
      model(graph([custom]), [8, operatorSet('ai.example', 1)]),
    ],
    ['with a name of every object', 'custom-operator', model(graph([node({ operator: 'F', domain: 'constructor' })]))],
    ['in a graph inside', 'custom-operator', model(graph([ifNode(branch([custom]))]))],
    ['in a function', 'custom-operator', model(graph([call('f')]), [25, functionOf('own', 'f', custom)])],
    [
      'in a function that nothing calls',
      'custom-operator',
      model(graph([identity]), [25, functionOf('own', 'f', custom)]),
    ],
    ['that names a function it does not bring', 'custom-operator', model(graph([call('f')]))],
    [
      'that opens files for a device',
      'forbidden-operator',
      model(graph([node({ operator: 'EPContext', domain: 'com.microsoft' }), identity])),
    ],
  ])('refuses an operator %s', (_, reason, bytes) => {
    expect(refusal(bytes).reason).toBe(reason);
  });

  it('passes functions of the model, whatever their domain, and domains that nothing uses', () => {
    const bytes = model(
      graph([call('f')]),
      [8, operatorSet('own', 1)],
      [8, operatorSet('left.behind', 7)],
      [25, functionOf('own', 'f', identity)],
    );
    expect(inspectOnnx(bytes).nodes).toBe(2);
  });

  it.each<[string, RefusalReason, Uint8Array]>([
    ['IR version 14', 'future-version', message([1, 14], [7, graph([identity])], [8, operatorSet('', 17)])],
    ['no IR version', 'not-onnx', message([7, graph([identity])], [8, operatorSet('', 17)])],
    ['no graph', 'not-onnx', message([1, 8], [8, operatorSet('', 17)])],
    ['no operator set', 'malformed', message([1, 8], [7, graph([identity])])],
    ['operator set 27', 'future-version', model(graph([identity]), [8, operatorSet('ai.onnx', 27)])],
    ['operator set ai.onnx.ml 6', 'future-version', model(graph([identity]), [8, operatorSet('ai.onnx.ml', 6)])],
    [
      'a newer operator set in a function',
      'future-version',
      model(graph([identity]), [25, message([1, 'f'], [9, operatorSet('', 27)])]),
    ],
    ['two graphs', 'not-onnx', model(graph([identity]), [7, graph([custom])])],
    ['a field that ONNX does not have', 'not-onnx', model(graph([identity]), [99, 'more'])],
    ['a field in a node that ONNX does not have', 'malformed', model(graph([message([4, 'Identity'], [40, custom])]))],
    [
      'an output that nothing makes',
      'dangling-value',
      model(graph([node({ operator: 'Identity', inputs: ['x'], outputs: ['z'] })])),
    ],
    [
      'a node in a branch that reads nothing',
      'dangling-value',
      model(graph([ifNode(branch([node({ operator: 'Neg', inputs: ['?'] })]))])),
    ],
  ])('refuses a file with %s', (_, reason, bytes) => {
    expect(refusal(bytes).reason).toBe(reason);
  });

  it('lets a branch read what the graph around it has', () => {
    const reads = node({ operator: 'Neg', inputs: ['later'], outputs: ['z'] });
    const later = node({ operator: 'Identity', inputs: ['x'], outputs: ['later'] });
    expect(() => inspectOnnx(model(graph([later, ifNode(branch([reads]))])))).not.toThrow();
  });

  it('refuses graphs nested a thousand deep', () => {
    let inner = branch([identity]);
    for (let depth = 0; depth < 1_000; depth++) inner = branch([ifNode(inner)]);
    expect(refusal(model(graph([ifNode(inner)]))).reason).toBe('too-deep');
  });

  it('refuses types nested a thousand deep', () => {
    let type = tensorType(1);
    for (let depth = 0; depth < 1_000; depth++) type = message([4, message([1, type])]);
    expect(refusal(model(graph([identity], [11, valueInfo('x', type)]))).reason).toBe('too-deep');
  });

  it('refuses functions that call themselves, or unfold without end', () => {
    expect(refusal(model(graph([call('f')]), [25, functionOf('own', 'f', call('f'))])).reason).toBe(
      'recursive-function',
    );
    const ring: Field[] = [
      [25, functionOf('own', 'f', call('g'))],
      [25, functionOf('own', 'g', call('f'))],
    ];
    expect(refusal(model(graph([identity]), ...ring)).reason).toBe('recursive-function');
    const laughs = Array.from({ length: 12 }, (_, level): Field => {
      const body = level === 0 ? [identity] : Array<Uint8Array>(10).fill(call(`f${level - 1}`));
      return [25, functionOf('own', `f${level}`, ...body)];
    });
    expect(refusal(model(graph([call('f11')]), ...laughs)).reason).toBe('too-many');
  });

  it('refuses more nodes than any exporter writes, before it has read them all', () => {
    const input = message([11, valueInfo('x', tensorType(1))]);
    const many = Buffer.concat([input, ...Array<Uint8Array>(100_001).fill(message([1, identity]))]);
    const file = message([1, 8], [7, many], [8, operatorSet('', 17)]);
    const tookMs = (): number => {
      const started = performance.now();
      expect(refusal(file).reason).toBe('too-many');
      return performance.now() - started;
    };
    expect(leastOf(3, tookMs, 2_000)).toBeLessThan(2_000);
  });

  it("refuses a file in the runtime's own format that is an ONNX file too", () => {
    const produced = (by: string): Buffer =>
      Buffer.from(message([1, 8], [2, by], [7, graph([identity])], [8, operatorSet('', 17)]));
    expect(() => inspectOnnx(produced('ONNX'))).not.toThrow();
    expect(produced('ORTM').toString('latin1', 4, 8)).toBe('ORTM');
    expect(refusal(produced('ORTM')).reason).toBe('not-onnx');
  });

  it('cuts names short in its messages', () => {
    const name = `evil${'!'.repeat(3_000)}\n`;
    const { message: text } = refusal(model(graph([node({ operator: 'Identity', inputs: [name], outputs: ['y'] })])));
    expect(text.length).toBeLessThan(300);
    expect(refusal(model(graph([node({ operator: 'Identity', inputs: ['!'.repeat(5_000)] })]))).reason).toBe(
      'absurd-shape',
    );
  });

  it('refuses every file that is cut short, at any byte', () => {
    for (const name of ['iris-logreg', 'two-in-four-out', 'text-tfidf-logreg']) {
      const bytes = modelFile(name);
      for (let length = 0; length < bytes.length; length++) {
        try {
          inspectOnnx(bytes.subarray(0, length));
        } catch (error) {
          expect(hasCode(error, 'MODEL_REFUSED'), `${name} cut at ${length}`).toBe(true);
          continue;
        }
        // What is left out at the very end may be optional: metadata of the file.
        expect(length, name).toBeGreaterThan(bytes.length - 60);
      }
    }
  });

  it('ends in MODEL_REFUSED or an inspection for any bytes, in bounded time', () => {
    const seeds = ['iris-logreg', 'refuse-custom-domain-nested', 'two-in-four-out', 'iris-logreg-zipmap'].map(
      modelFile,
    );
    const flips = fc.array(fc.tuple(fc.nat(2_000), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.constantFrom(...seeds), flips, fc.uint8Array({ maxLength: 64 }), (seed, changes, tail) => {
        const bytes = Buffer.concat([seed, tail]);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const tookMs = (): number => {
          const started = performance.now();
          for (const candidate of [bytes, Buffer.from(tail)]) {
            try {
              inspectOnnx(candidate);
            } catch (error) {
              if (!hasCode(error, 'MODEL_REFUSED')) throw error;
            }
          }
          return performance.now() - started;
        };
        expect(leastOf(3, tookMs, 1_000)).toBeLessThan(1_000);
      }),
      { numRuns: 2_000 },
    );
  });
});
