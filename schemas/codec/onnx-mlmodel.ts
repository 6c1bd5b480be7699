/** The file MLmodel of a folder with one ONNX file, by which MLflow's clients load it, as `onnx` and as `python_function`. */

/** Name of the ONNX file beside it. */
export const onnxFile = 'model.onnx';

interface Said {
  readonly createdMs: number;
  /** As MLflow writes signatures; left out when nothing is known of them. */
  readonly inputs?: readonly object[];
  readonly outputs?: readonly object[];
}

/** YAML; what stands behind a colon is JSON, which is YAML too. */
export function onnxMlmodel({ createdMs, inputs, outputs }: Said): string {
  const json = (value: unknown): string => JSON.stringify(JSON.stringify(value));
  const signature = inputs === undefined ? [] : ['signature:', `  inputs: ${json(inputs)}`];
  if (inputs !== undefined && outputs !== undefined) signature.push(`  outputs: ${json(outputs)}`);
  return [
    'flavors:',
    `  onnx: {"data": "${onnxFile}", "onnx_version": "1.16.0", "providers": ["CPUExecutionProvider"]}`,
    `  python_function: {"loader_module": "mlflow.onnx", "data": "${onnxFile}"}`,
    `utc_time_created: ${JSON.stringify(new Date(createdMs).toISOString().replace('T', ' ').replace('Z', ''))}`,
    ...signature,
    '',
  ].join('\n');
}
