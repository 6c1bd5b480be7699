/** The files of test/models that no runtime may load, and what is said of each. */
export interface BadModel {
  readonly name: string;
  /** False when the step that would register it is refused already. */
  readonly registered: boolean;
  readonly says: readonly string[];
}

export const badModels: readonly BadModel[] = [
  { name: 'refuse-corrupt', registered: true, says: ['no ONNX file'] },
  { name: 'refuse-custom-domain', registered: true, says: ['ai.example.custom', 'Frobnicate'] },
  { name: 'refuse-custom-domain-nested', registered: true, says: ['ai.example.custom', 'Frobnicate'] },
  { name: 'refuse-dangling-input', registered: true, says: ['nowhere'] },
  { name: 'refuse-empty-file', registered: false, says: ['must be the bytes of an ONNX file'] },
  { name: 'refuse-external-data', registered: true, says: ['W', 'external'] },
  { name: 'refuse-external-data-traversal', registered: true, says: ['W', 'external'] },
  { name: 'refuse-future-ir', registered: true, says: ['99'] },
  { name: 'refuse-future-opset', registered: true, says: ['99'] },
  { name: 'refuse-lying-tensor-size', registered: true, says: ['W'] },
  { name: 'refuse-not-onnx-text', registered: true, says: ['no ONNX file'] },
  { name: 'refuse-truncated', registered: true, says: ['truncated'] },
  { name: 'refuse-type-clash', registered: true, says: ['MatMul'] },
  { name: 'refuse-unknown-operator', registered: true, says: ['NotAnOperator'] },
];
