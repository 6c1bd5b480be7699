/** Collection of garbage over HTTP. One at a time in a process. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import type { CollectionOptions } from '../../schemas/api/collection.ts';
import type { ExtensionParts } from '../gateway/extension.ts';
import { collect, type HeldBlobs, type RunRetention } from './collect.ts';

const daysMs = 86_400_000;
/** Of what nobody says otherwise. */
const collectionDefaults = { olderThanMs: 90 * daysMs, graceMs: daysMs } as const;

const ms = Type.Optional(Type.Integer({ minimum: 0, maximum: 3_650 * daysMs }));

export const collectionRoutes =
  (runtime: Runtime, runs: RunRetention, held: () => HeldBlobs) =>
  (app: FastifyInstance, { operations }: ExtensionParts): void => {
    let running = false;
    app.post<{ Body: CollectionOptions }>(
      '/api/v1/artifacts/collection',
      {
        config: { access: 'write', action: 'artifacts.collect' },
        schema: {
          summary: 'remove bytes that nothing names any more, or tell what would go',
          tags: ['artifacts'],
          description:
            'Removes bytes that nothing names any more: no run that has not expired, model, deployment, flow, snapshot, record on the log or legal hold. ' +
            'A run expires `olderThanMs` after its end (90 days), by its tag `retain:<duration>`, or never (`keep`), and not before it can ' +
            'be resumed no more. What was put within `graceMs` (1 day) is left alone.',
          body: Type.Object(
            { dryRun: Type.Optional(Type.Boolean()), olderThanMs: ms, graceMs: ms },
            { additionalProperties: false },
          ),
        },
      },
      async (request) => {
        const { olderThanMs, graceMs } = collectionDefaults;
        const wanted = { olderThanMs, graceMs, dryRun: false, ...request.body };
        if (running) throw new MillraceError('CONFLICT', 'garbage is being collected: ask again when that has ended');
        running = true;
        try {
          const operation = operations.begin(request);
          const report = await collect(runtime, runs, held(), wanted);
          const { sample: _sample, ...counts } = report;
          if (!wanted.dryRun) await operations.publish(request, operation, 'artifacts', [], counts);
          return report;
        } finally {
          running = false;
        }
      },
    );
  };
