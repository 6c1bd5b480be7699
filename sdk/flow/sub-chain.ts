/**
 * Whether a branch is written as a chain, `(branch) => branch.step(...)`, and not as one step. It is read from the text of the
 * function, because calling a step to find out would run user code while the flow is being declared.
 */
export function isSubChain(run: (...args: never[]) => unknown): boolean {
  const text = Function.prototype.toString.call(run).replace(comments, ' ');
  return arrowChain.test(text) || functionChain.test(text);
}

const comments = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
const arrowChain =
  /^\(?\s*([A-Za-z_$][\w$]*)\s*\)?\s*=>\s*(?:\{\s*return\s*)?\(?\s*\1\s*\.\s*(?:step|branch|command|python)\s*\(/;
const functionChain =
  /^function\s*[\w$]*\s*\(\s*([A-Za-z_$][\w$]*)\s*\)\s*\{\s*return\s*\(?\s*\1\s*\.\s*(?:step|branch|command|python)\s*\(/;
