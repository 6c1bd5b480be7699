export { formatInferResponse, type InferResponse } from './format-response.ts';
export { type InferLimits, type InferRequest, parseInferRequest } from './parse-request.ts';
