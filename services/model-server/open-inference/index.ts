export { fitContent } from './content-types.ts';
export { formatInferResponse, formInferResponse, type InferResponse } from './format-response.ts';
export { type AnswerForm, type InferRequest, parseInferRequest } from './parse-request.ts';
