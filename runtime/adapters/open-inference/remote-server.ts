import type { ModelSignature, Tensor, TensorSpec } from '../../ports/index.ts';

/** One model on a server of the Open Inference Protocol, by whichever transport. Errors are those of {@link RemoteModel}. */
export interface RemoteServer {
  describe(timeoutMs: number): Promise<RemoteModelDescription>;
  infer(inputs: readonly Tensor[], timeoutMs: number): Promise<readonly Tensor[]>;
  close(): void;
}

export interface RemoteModelDescription extends Pick<ModelSignature, 'inputs' | 'outputs'> {
  /** undefined: the server does not say. */
  readonly platform: string | undefined;
}

export interface WireSpec {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly (number | string)[];
}

export const specOf = ({ name, datatype, shape }: WireSpec): TensorSpec => ({
  name,
  datatype: datatype as TensorSpec['datatype'],
  shape: shape.map(Number),
});
