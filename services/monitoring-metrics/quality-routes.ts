/** Quality metrics over HTTP: the newest windows of each series of a deployment, read from the log. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import type { Runtime } from '../../runtime/engine/runtime.ts';
import { plainJson } from '../../schemas/codec/plain-json.ts';
import type { QualityAssessed } from '../../schemas/events.ts';
import { partitionOf } from '../../schemas/partitioner.ts';

/** So many records of the deployment's partition are looked at, from its end. */
const recordsMax = 20_000;

interface Query {
  readonly route?: string;
  readonly segment?: string;
  readonly version?: string;
  readonly windows?: string;
}

const text = Type.Optional(Type.String({ maxLength: 256 }));
const querystring = Type.Object({
  route: text,
  segment: text,
  version: Type.Optional(Type.String({ pattern: '^[1-9]\\d{0,8}$' })),
  windows: Type.Optional(Type.String({ pattern: '^([1-9]\\d{0,2}|1000)$' })),
});
const params = Type.Object({ deployment: Type.String({ pattern: '^[a-z0-9][a-z0-9-]{0,62}$' }) });

export const qualityRoutes =
  (runtime: Runtime) =>
  (app: FastifyInstance): void => {
    app.get<{ Params: { deployment: string }; Querystring: Query }>(
      '/api/v1/deployments/:deployment/quality',
      { config: { access: 'read' }, schema: { tags: ['quality'], params, querystring } },
      async ({ params: { deployment }, query }, reply) => {
        const { route, segment, version, windows = '1' } = query;
        const bySeries = new Map<string, QualityAssessed[]>();
        for await (const found of assessments(deployment, runtime)) {
          if (route !== undefined && found.route !== route) continue;
          if (segment !== undefined && found.segment !== segment) continue;
          if (version !== undefined && found.deploymentVersion !== Number(version)) continue;
          const key = JSON.stringify([
            found.deploymentVersion,
            found.route,
            found.model,
            found.modelVersion,
            found.segment,
          ]);
          const series = bySeries.get(key) ?? [];
          series.push(found);
          series.splice(0, series.length - Number(windows));
          bySeries.set(key, series);
        }
        const newest = [...bySeries.values()].flat().sort((a, b) => b.toMs - a.toMs);
        return await reply.type('application/json; charset=utf-8').send(plainJson({ windows: newest }));
      },
    );
  };

async function* assessments(deployment: string, runtime: Runtime): AsyncGenerator<QualityAssessed> {
  const { log } = runtime.parts;
  const place = { topic: runtime.topic('quality'), partition: partitionOf(deployment, runtime.partitions('quality')) };
  const end = (await log.endOffsets(place.topic))[place.partition] ?? 0;
  for await (const records of log.read(place, { from: Math.max(0, end - recordsMax), to: end })) {
    for (const record of records) {
      if (record.key?.toString('utf8') !== deployment) continue;
      const event = await runtime.decode('quality', record).catch(() => undefined);
      if (event !== undefined) yield event.data;
    }
  }
}
