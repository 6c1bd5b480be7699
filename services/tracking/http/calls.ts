/** Declares the calls of a room: each is one function from the fields of a request to its answer. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Tracking } from '../tracking.ts';
import { shapeOf } from './call-shapes.ts';
import { Fields } from './fields.ts';
import type { ExtensionParts, Operation } from '../../gateway/extension.ts';

export interface Call {
  readonly fields: Fields;
  readonly request: FastifyRequest;
  readonly operation: Operation;
}

export type Answering = (call: Call) => Promise<object>;

export interface Room {
  readonly app: FastifyInstance;
  readonly tracking: Tracking;
  readonly gateway: ExtensionParts;
  /** Shows something: GET with a query, POST with a body. */
  read(methods: Methods, path: string, answer: Answering): void;
  /** Adds to a run. */
  log(methods: Methods, path: string, answer: Answering, bodyLimit?: number): void;
  /** Changes what others work with, and leaves an operation. */
  write(methods: Methods, path: string, action: string, answer: Answering): void;
}

type Method = 'GET' | 'POST' | 'PATCH' | 'DELETE';
export type Methods = Method | readonly Method[];

export function roomOf(app: FastifyInstance, tracking: Tracking, gateway: ExtensionParts): Room {
  const add = (methods: Methods, path: string, config: object, answer: Answering, bodyLimit?: number): void => {
    app.route({
      method: typeof methods === 'string' ? [methods] : [...methods],
      url: path,
      config: { ...config, fields: () => shapeOf(path) },
      ...(bodyLimit === undefined ? {} : { bodyLimit }),
      schema: { tags: ['mlflow'] },
      handler: async (request) => {
        const params = request.params as Readonly<Record<string, string>>;
        const given = request.method === 'GET' ? request.query : request.body;
        const fields = new Fields(Object.keys(params).length === 0 ? given : { ...new Fields(given).all(), ...params });
        if (request.stepRun !== undefined) await tracking.begun(request.stepRun);
        return await answer({ fields, request, operation: gateway.operations.begin(request) });
      },
    });
  };
  return {
    app,
    tracking,
    gateway,
    read: (methods, path, answer) => add(methods, path, { access: 'read' }, answer),
    log: (methods, path, answer, bodyLimit) => add(methods, path, { access: 'log' }, answer, bodyLimit),
    write: (methods, path, action, answer) => add(methods, path, { access: 'write', action }, answer),
  };
}
