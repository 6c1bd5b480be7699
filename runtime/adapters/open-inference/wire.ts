/**
 * Messages and calls of the Open Inference Protocol over gRPC, with the repository calls of Triton. Names and numbers of the fields are the
 * protocol's: `open_inference_grpc.proto`, package `inference`, service `GRPCInferenceService`.
 */
import protobuf from 'protobufjs';

const definition = `
syntax = "proto3";
package inference;

message Nothing {}
message Live { bool live = 1; }
message Ready { bool ready = 1; }
message ModelName { string name = 1; string version = 2; }
message Server { string name = 1; string version = 2; repeated string extensions = 3; }
message TensorSpec { string name = 1; string datatype = 2; repeated int64 shape = 3; }
message Model {
  string name = 1; repeated string versions = 2; string platform = 3;
  repeated TensorSpec inputs = 4; repeated TensorSpec outputs = 5;
}
message Parameter {
  oneof parameter_choice {
    bool bool_param = 1; int64 int64_param = 2; string string_param = 3; double double_param = 4; uint64 uint64_param = 5;
  }
}
message Contents {
  repeated bool bool_contents = 1; repeated int32 int_contents = 2; repeated int64 int64_contents = 3; repeated uint32 uint_contents = 4;
  repeated uint64 uint64_contents = 5; repeated float fp32_contents = 6; repeated double fp64_contents = 7; repeated bytes bytes_contents = 8;
}
message Tensor {
  string name = 1; string datatype = 2; repeated int64 shape = 3; map<string, Parameter> parameters = 4; Contents contents = 5;
}
message WantedOutput { string name = 1; map<string, Parameter> parameters = 2; }
message InferRequest {
  string model_name = 1; string model_version = 2; string id = 3; map<string, Parameter> parameters = 4;
  repeated Tensor inputs = 5; repeated WantedOutput outputs = 6; repeated bytes raw_input_contents = 7;
}
message InferResponse {
  string model_name = 1; string model_version = 2; string id = 3; map<string, Parameter> parameters = 4;
  repeated Tensor outputs = 5; repeated bytes raw_output_contents = 6;
}
message IndexRequest { string repository_name = 1; bool ready = 2; }
message IndexEntry { string name = 1; string version = 2; string state = 3; string reason = 4; }
message Index { repeated IndexEntry models = 1; }
message RepositoryModel { string repository_name = 1; string model_name = 2; }
`;

/** Request and answer of each call. */
const calls = {
  ServerLive: ['Nothing', 'Live'],
  ServerReady: ['Nothing', 'Ready'],
  ModelReady: ['ModelName', 'Ready'],
  ServerMetadata: ['Nothing', 'Server'],
  ModelMetadata: ['ModelName', 'Model'],
  ModelInfer: ['InferRequest', 'InferResponse'],
  RepositoryIndex: ['IndexRequest', 'Index'],
  RepositoryModelLoad: ['RepositoryModel', 'Nothing'],
  RepositoryModelUnload: ['RepositoryModel', 'Nothing'],
} as const;

export type CallName = keyof typeof calls;
export const callNames = Object.keys(calls) as CallName[];

export interface WireParameter {
  readonly bool_param?: boolean;
  readonly int64_param?: string | number;
  readonly string_param?: string;
  readonly double_param?: number;
  readonly uint64_param?: string | number;
}

export type WireParameters = Readonly<Record<string, WireParameter>>;

export type WireContents = Readonly<Record<string, readonly unknown[]>>;

export interface WireTensor {
  readonly name: string;
  readonly datatype: string;
  readonly shape: readonly (string | number)[];
  readonly parameters: WireParameters;
  readonly contents?: WireContents | null;
}

/** 64-bit integers are decimal texts. */
export interface WireInferRequest {
  readonly model_name: string;
  readonly model_version: string;
  readonly id: string;
  readonly parameters: WireParameters;
  readonly inputs: readonly WireTensor[];
  readonly outputs: readonly { readonly name: string; readonly parameters: WireParameters }[];
  readonly raw_input_contents: readonly Uint8Array[];
}

/** What grpc-js takes for a service. */
export interface WireMethod {
  readonly path: string;
  readonly requestStream: false;
  readonly responseStream: false;
  requestSerialize(value: object): Buffer;
  requestDeserialize(bytes: Buffer): object;
  responseSerialize(value: object): Buffer;
  responseDeserialize(bytes: Buffer): object;
}

export const wireService = buildService();

function buildService(): Readonly<Record<CallName, WireMethod>> {
  const { root } = protobuf.parse(definition, { keepCase: true });
  const methods = callNames.map((name): [CallName, WireMethod] => {
    const [request, response] = calls[name].map((type) => root.lookupType(`inference.${type}`));
    if (request === undefined || response === undefined) throw new Error(`unreachable: ${name} has no types`);
    return [
      name,
      {
        path: `/inference.GRPCInferenceService/${name}`,
        requestStream: false,
        responseStream: false,
        requestSerialize: (value) => encoded(request, value),
        requestDeserialize: (bytes) => decoded(request, bytes),
        responseSerialize: (value) => encoded(response, value),
        responseDeserialize: (bytes) => decoded(response, bytes),
      },
    ];
  });
  return Object.fromEntries(methods) as Record<CallName, WireMethod>;
}

const encoded = (type: protobuf.Type, value: object): Buffer =>
  Buffer.from(type.encode(type.fromObject(value)).finish());

const decoded = (type: protobuf.Type, bytes: Buffer): object =>
  type.toObject(type.decode(bytes), { longs: String, bytes: Buffer, defaults: true, arrays: true, objects: true });
