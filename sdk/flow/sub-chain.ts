/**
 * Whether a body is written as a chain, `(inner) => inner.step(...)`, and not as one step. It is read from the text of the
 * function, because calling a step to find out would run user code while the flow is being declared.
 */
export function isSubChain(run: (...args: never[]) => unknown): boolean {
  const text = Function.prototype.toString.call(run).replace(comments, ' ');
  return arrowChain.test(text) || functionChain.test(text);
}

const comments = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
const verbs = '(?:step|branch|command|python|foreach|switch|repeat|gang)';
const arrowChain = new RegExp(
  `^\\(?\\s*([A-Za-z_$][\\w$]*)\\s*\\)?\\s*=>\\s*(?:\\{\\s*return\\s*)?\\(?\\s*\\1\\s*\\.\\s*${verbs}\\s*\\(`,
);
const functionChain = new RegExp(
  `^function\\s*[\\w$]*\\s*\\(\\s*([A-Za-z_$][\\w$]*)\\s*\\)\\s*\\{\\s*return\\s*\\(?\\s*\\1\\s*\\.\\s*${verbs}\\s*\\(`,
);
