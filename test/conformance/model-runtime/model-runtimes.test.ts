import { readFileSync } from 'node:fs';
import { createOnnxRuntime } from '../../../runtime/adapters/onnx/onnx-runtime.ts';
import type { ModelRuntimeFixture } from './fixture.ts';
import { functionFixture } from './function-models.ts';
import { modelRuntimeConformance } from './model-runtime-suite.ts';

const file = (name: string): Buffer => readFileSync(new URL(`../../models/${name}.onnx`, import.meta.url));

function onnxFixture(): ModelRuntimeFixture {
  const runtime = createOnnxRuntime();
  return {
    load: (name) => runtime.load(file(name)),
    loadRefused: (bytes) => runtime.load(bytes),
    refusedFiles: [
      { bytes: file('refuse-empty-file'), says: /empty/ },
      { bytes: file('refuse-not-onnx-text'), says: /no ONNX file/ },
      { bytes: file('refuse-external-data'), says: /initializer "W".*external data/ },
      { bytes: file('refuse-custom-domain'), says: /ai\.example\.custom:Frobnicate/ },
      { bytes: file('refuse-lying-tensor-size'), says: /1000000000, 2/ },
      { bytes: file('refuse-unknown-operator'), says: /NotAnOperator/ },
    ],
  };
}

modelRuntimeConformance('onnxruntime', onnxFixture);
modelRuntimeConformance('functions', functionFixture);
