import { invalidArgument, messageOf } from '../../runtime/ports/errors.ts';
import type { ParameterSpec } from '../../schemas/flow-parameters.ts';
import { pathInside } from './path-inside.ts';
import type { ParameterOptions } from './types.ts';

/** The declarations as data. Computed defaults are called here, and nowhere else. */
export function parameterSpecs(
  flow: string,
  declared: Readonly<Record<string, ParameterOptions>>,
  configuration: Readonly<Record<string, unknown>>,
): Readonly<Record<string, ParameterSpec>> {
  const specs: Record<string, ParameterSpec> = {};
  for (const [parameter, { default: said, ...rest }] of Object.entries(declared)) {
    const value =
      typeof said === 'function' ? computed(parameter, () => said({ flow, parameter, configuration })) : said;
    const shown =
      rest.type === 'file' && typeof value === 'string'
        ? { path: pathInside(`parameter '${parameter}'`, value) }
        : value;
    specs[parameter] = {
      ...rest,
      required: rest.required ?? false,
      ...(shown === undefined ? {} : { default: shown }),
    };
  }
  return specs;
}

function computed(parameter: string, compute: () => unknown): unknown {
  let value: unknown;
  try {
    value = compute();
  } catch (error) {
    throw invalidArgument(`parameter '${parameter}': its default cannot be computed: ${messageOf(error)}`);
  }
  if (value instanceof Promise)
    throw invalidArgument(`parameter '${parameter}': its default is a promise: answer the value itself`);
  return value;
}
