import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { stepOfTask } from '../../../schemas/task-id.ts';
import { renderCard } from '../cards/render-card.ts';
import type { GatewayContext, Routes } from '../gateway-context.ts';

const tags = ['runs'];
const runId = Type.String({ pattern: '^[0-9a-f]{32}$' });

interface FoundCard {
  readonly taskId: string;
  readonly step: string;
  readonly attempt: number;
  readonly card: string;
  readonly hash: string;
  /** Its attempt has not ended. */
  readonly live: boolean;
}

/** Cards of a run's steps, while they run and afterwards. */
export const cards: Routes = (app, context) => {
  app.get<{ Params: { runId: string } }>(
    '/api/v1/runs/:runId/cards',
    {
      config: { access: 'read' },
      schema: { summary: 'cards that the steps of a run have left', tags, params: Type.Object({ runId }) },
    },
    async ({ params }) => ({ cards: await cardsOf(params.runId, context) }),
  );

  app.get<{
    Params: { runId: string; task: string };
    Querystring: { card?: string; attempt?: string; format?: string };
  }>(
    '/api/v1/runs/:runId/cards/:task',
    {
      config: { access: 'read' },
      schema: {
        summary: 'a card as an HTML page, or as its document',
        tags,
        description:
          'A card of a task or step: its document, or one HTML page that needs nothing else. By default of the last attempt.',
        params: Type.Object({ runId, task: Type.String({ maxLength: 400 }) }),
        querystring: Type.Object({
          card: Type.Optional(Type.String({ maxLength: 64 })),
          attempt: Type.Optional(Type.String({ pattern: '^[1-9][0-9]{0,4}$' })),
          format: Type.Optional(Type.Enum(['html', 'json'])),
        }),
        produces: ['text/html', 'application/json'],
      },
    },
    async ({ params, query }, reply) => {
      const all = await cardsOf(params.runId, context);
      const found = all
        .filter(({ taskId, step }) => taskId === params.task || step === params.task)
        .filter(({ card }) => query.card === undefined || card === query.card)
        .filter(({ attempt }) => query.attempt === undefined || attempt === Number(query.attempt))
        .at(-1);
      if (found === undefined)
        throw new MillraceError(
          'NOT_FOUND',
          `'${params.task}' has no such card; the run has ${all.map(({ taskId, card }) => `${taskId}: ${card}`).join(', ') || 'none'}`,
        );
      const bytes = await context.options.runtime.parts.blobs.get(found.hash);
      const document = JSON.parse(bytes.toString('utf8')) as { components: readonly unknown[] };
      if (query.format !== 'html') return document;
      return await reply
        .type('text/html; charset=utf-8')
        .header('content-security-policy', "default-src 'none'; img-src data:; style-src 'unsafe-inline'; sandbox")
        .send(renderCard(found.card, document.components, { runId: params.runId, ...found }));
    },
  );
};

/** In the order of the attempts' starts. */
async function cardsOf(runId: string, { options: { queries } }: GatewayContext): Promise<readonly FoundCard[]> {
  const place = await queries.placeOfRun(runId);
  if (place === undefined) throw new MillraceError('NOT_FOUND', `there is no run '${runId}'`);
  const heard = await queries.listHeardCards(runId);
  const attempts = await queries.listAttempts(runId);
  return attempts.flatMap((attempt) => {
    const { taskId, dispatch, incarnation, status } = attempt;
    const before = heard.filter(
      (card) => card.taskId === taskId && card.dispatch === dispatch && card.incarnation === incarnation,
    );
    const known = { ...Object.fromEntries(before.map(({ card, hash }) => [card, hash])), ...attempt.cards };
    const live = status === 'running' && place.status === 'running';
    return Object.entries(known).map(([card, hash]) => ({
      ...{ taskId, step: stepOfTask(taskId), attempt: attempt.attempt },
      ...{ card, hash, live },
    }));
  });
}
