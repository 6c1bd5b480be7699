import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import { feedbackIdOfCall, idOf } from '../../../schemas/derived-ids.ts';
import { readFeedback } from '../../../schemas/feedback-check.ts';
import { cloudEventType, incomingEvent } from '../cloud-events.ts';
import { anyJson, type Routes } from '../gateway-context.ts';

/** `POST /api/v1/feedback`: `{predictionId, truth? | label? | reward?, row?, id?}`, or a CloudEvent around it. */
export const feedback: Routes = (app, { options, operations }) => {
  app.post(
    '/api/v1/feedback',
    {
      config: { access: 'write', action: 'feedback.give' },
      schema: {
        summary: 'tell the truth, the label or a reward for a prediction',
        tags: ['feedback'],
        body: anyJson(
          '{predictionId, truth?: number, label?: text, reward?: number, row?: whole number from 0, id?}, or a CloudEvent around it; of a prediction of several rows truth, label and reward are lists of one value (or null) per row, or row names the one that they are about',
        ),
        consumes: ['application/json', cloudEventType],
        response: { 202: Type.Object({ feedbackId: Type.String(), predictionId: Type.String() }) },
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      const event = incomingEvent(request);
      const read = readFeedback(event.data, options.runtime.partitions('predictions'));
      if (read.problems !== undefined) throw new MillraceError('INVALID_ARGUMENT', read.problems.join('; '));
      const data = read.feedback;
      const id = event.id ?? givenId(event.data) ?? operation.requestId;
      const recordId = idOf('feedback', event.source ?? operation.actor, id, data.predictionId);
      const feedbackId = feedbackIdOfCall(recordId, data.predictionId);
      const key = event.subject ?? data.predictionId;
      await operations.publish(
        request,
        operation,
        data.predictionId,
        [{ topic: 'feedback', type: 'feedback-given', data, key, id: recordId }],
        { feedbackId },
      );
      return await reply.code(202).send({ feedbackId, predictionId: data.predictionId });
    },
  );
};

function givenId(body: unknown): string | undefined {
  const { id } = (body ?? {}) as { readonly id?: unknown };
  if (id === undefined || (typeof id === 'string' && id !== '' && id.length <= 256)) return id;
  throw new MillraceError('INVALID_ARGUMENT', 'body.id must be a text of 1 to 256 characters');
}
