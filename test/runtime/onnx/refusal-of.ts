import { inspectOnnx } from '../../../runtime/adapters/onnx/inspect.ts';
import { hasCode } from '../../../runtime/ports/index.ts';

/** How the inspection refuses a file; throws when it does not. */
export function refusal(bytes: Uint8Array): { reason: unknown; message: string } {
  try {
    inspectOnnx(bytes);
  } catch (error) {
    if (hasCode(error, 'MODEL_REFUSED')) return { reason: error.details['reason'], message: error.message };
    throw error;
  }
  throw new Error('it was not refused');
}
