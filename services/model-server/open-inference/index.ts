export { formatInferResponse } from './format-response.ts';
export { parseInferRequest } from './parse-request.ts';
