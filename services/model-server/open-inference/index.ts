export { fitContent } from './content-types.ts';
export { formatInferResponse, formInferResponse, type InferResponse } from './format-response.ts';
export { type AnswerForm, parseInferRequest } from './parse-request.ts';
