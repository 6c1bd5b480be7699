import AjvCompiler from '@fastify/ajv-compiler';
import SerializerSelector from '@fastify/fast-json-stringify-compiler';
import type { FastifyInstance } from 'fastify';
import type { FastifyValidationResult } from 'fastify/types/schema.js';

/**
 * Has Fastify's own compilers compile the schema of a route when its first call comes: of more than a hundred routes a process meets few,
 * and a command that opens the platform for itself would wait for all of them. What is sent is checked as it is: nothing is converted,
 * filled in or taken away.
 */
export function compileOnFirstCall(app: FastifyInstance): void {
  const validators = AjvCompiler()(
    {},
    // That the schemas themselves are right is for the tests: Ajv would compile its own schema of schemas first.
    { customOptions: { removeAdditional: false, coerceTypes: false, useDefaults: false, validateSchema: false } },
  );
  const serializers = SerializerSelector()({}, {});
  app.setValidatorCompiler((route) => {
    let compiled: FastifyValidationResult | undefined;
    const validate: FastifyValidationResult = (data: unknown) => {
      compiled ??= validators(route) as FastifyValidationResult;
      const valid = compiled(data);
      validate.errors = compiled.errors ?? null;
      return valid;
    };
    return validate;
  });
  app.setSerializerCompiler((route) => {
    let compiled: ((data: unknown) => string) | undefined;
    return (data: unknown) => (compiled ??= serializers(route as Parameters<typeof serializers>[0]))(data);
  });
}
