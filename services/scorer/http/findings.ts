/** Drift findings over HTTP: what was found with the distributions behind it, and the same computed again. */
import type { FastifyInstance } from 'fastify';
import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/errors.ts';
import { plainJson } from '../../../schemas/codec/plain-json.ts';
import type { FindingPlace, FindingReplays } from '../replay.ts';

const json = 'application/json; charset=utf-8';

/** Where drift findings lie on the log. */
export type FindPlace = (id: string) => Promise<FindingPlace | undefined>;

export function findingRoutes(findings: FindingReplays, find: FindPlace): (app: FastifyInstance) => void {
  const params = Type.Object({ id: Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$' }) });
  const placeOf = async (id: string): Promise<FindingPlace> => {
    const place = await find(id);
    if (place !== undefined) return place;
    throw new MillraceError('NOT_FOUND', `there is no drift finding '${id}'; \`millrace drift list\` shows them`);
  };
  const reads = (summary: string) => ({
    config: { access: 'read' as const },
    schema: { summary, tags: ['findings'], params },
  });
  const shows = reads('the numbers of a drift finding, and its reference against its window');
  const replays = reads('a drift finding computed again from the rows at the positions that it names');
  return (app) => {
    app.get<{ Params: { id: string } }>('/api/v1/drift/:id', shows, async ({ params: { id } }, reply) =>
      reply.type(json).send(plainJson(await findings.show(await placeOf(id)))),
    );
    app.get<{ Params: { id: string } }>('/api/v1/drift/:id/replay', replays, async ({ params: { id } }, reply) =>
      reply.type(json).send(plainJson(await findings.replay(await placeOf(id)))),
    );
  };
}
