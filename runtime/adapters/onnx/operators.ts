/** Which operators a model may use: those that onnxruntime itself brings. Read from its refusals at version 1.30. */
import { refused } from './refusal.ts';

/** Newest file format (`ir_version`) that onnxruntime 1.30 reads. */
export const irVersionMax = 13;

/** Operator domains of onnxruntime 1.30 and the newest operator set of each that it guarantees. '' is the standard, also called ai.onnx. */
export const operatorSetMax: Readonly<Record<string, number>> = {
  '': 26,
  'ai.onnx.ml': 5,
  'ai.onnx.training': 1,
  'ai.onnx.preview': 1,
  'ai.onnx.preview.training': 1,
  'com.microsoft': 1,
  'com.microsoft.nchwc': 1,
  'com.ms.internal.nhwc': 26,
};

/** The runtime's own operators that exist to run something else: files compiled for a device, or code of another program. */
const forbidden: ReadonlySet<string> = new Set(['EPContext', 'PythonOp', 'PythonOpGrad', 'ATen', 'ExternalOp']);

export function standardDomain(domain: string): string {
  return domain === 'ai.onnx' ? '' : domain;
}

/** `functions`: keys ({@link functionKey}) of the functions that the model brings itself. */
export function checkOperator(where: string, domain: string, operator: string, functions: ReadonlySet<string>): void {
  if (functions.has(functionKey(domain, operator))) return;
  const name = `${domain === '' ? 'ai.onnx' : domain}:${operator}`.slice(0, 160);
  if (operatorSetMax[domain] === undefined || !Object.hasOwn(operatorSetMax, domain)) {
    throw refused(
      'custom-operator',
      where,
      `operator ${name} is of a custom domain; only operators of ${Object.keys(operatorSetMax)
        .map((known) => known || 'ai.onnx')
        .slice(0, 6)
        .join(', ')} are run`,
    );
  }
  if (domain === 'com.microsoft' && forbidden.has(operator)) {
    throw refused('forbidden-operator', where, `operator ${name} runs code or files from outside of the model`);
  }
}

export function functionKey(domain: string, name: string): string {
  return `${domain}\u0000${name}`;
}

export function checkOperatorSet(where: string, domain: string, version: bigint): void {
  const max = Object.hasOwn(operatorSetMax, domain) ? operatorSetMax[domain] : undefined;
  // A domain that no node uses is harmless, and exporters do leave such behind.
  if (max === undefined) return;
  const name = domain === '' ? 'ai.onnx' : domain;
  if (version < 1n) throw refused('malformed', where, `operator set ${name} has version ${version}`);
  if (version > BigInt(max)) {
    throw refused(
      'future-version',
      where,
      `operator set ${name} ${version} is newer than ${max}, the newest of onnxruntime 1.30; export for ${max} or older`,
    );
  }
}
