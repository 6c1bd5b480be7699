import { Type } from 'typebox';
import { MillraceError } from '../../../runtime/ports/index.ts';
import type { StartRequested } from '../../../schemas/events.ts';
import { answerStart } from '../asked-start.ts';
import type { GatewayContext, Routes } from '../gateway-context.ts';
import { uploadedCode } from './runs.ts';

const params = Type.Object({ runId: Type.String({ pattern: '^[0-9a-f]{32}$' }) });

interface ResumeBody {
  readonly from?: string;
  readonly inPlace?: boolean;
  readonly code?: 'origin' | 'deployed';
  readonly bundleHash?: string;
  readonly graph?: Readonly<Record<string, unknown>>;
  readonly tags?: readonly string[];
}

const body = Type.Object(
  {
    from: Type.Optional(
      Type.String({
        minLength: 1,
        maxLength: 200,
        description: 'step from which on everything runs again; default: what did not end well',
      }),
    ),
    inPlace: Type.Optional(Type.Boolean({ description: 'under the same run id; default: a new run' })),
    code: Type.Optional(
      Type.Enum(['origin', 'deployed'], { description: "the run's own, or that of the flow's deployed version" }),
    ),
    bundleHash: Type.Optional(Type.String({ pattern: '^[0-9a-f]{64}$', description: 'of changed code, uploaded' })),
    graph: Type.Optional(Type.Record(Type.String(), Type.Unknown(), { description: 'needed with bundleHash' })),
    tags: Type.Optional(Type.Array(Type.String({ minLength: 1, maxLength: 500 }), { maxItems: 50 })),
  },
  { additionalProperties: false },
);

/** A run goes on where it stopped: as a new run, or under its own id. */
export const resume: Routes = (app, context) => {
  const { options, operations } = context;

  app.post<{ Params: { runId: string }; Body: ResumeBody | undefined }>(
    '/api/v1/runs/:runId/resume',
    {
      config: { access: 'write', action: 'run.resume' },
      schema: {
        summary: 'go on where a run stopped, as a new run or in place',
        tags: ['runs'],
        params,
        body: Type.Optional(body),
      },
    },
    async (request, reply) => {
      const operation = operations.begin(request);
      const { requestId, actor } = operation;
      const origin = request.params.runId;
      const { from = null, inPlace = false, code = 'origin', tags = [], ...given } = request.body ?? {};
      const run = await options.queries.showRun(origin, { limit: 0 });
      if (run === undefined) throw new MillraceError('NOT_FOUND', `there is no run '${origin}'`);
      if (run.status === 'running')
        throw new MillraceError(
          'CONFLICT',
          `run '${origin}' is still running: wait for its end, or cancel it, before it is resumed`,
        );
      const { flow, version, bundleHash } = run;
      if (code === 'deployed') await deployed(flow, context);
      const data: StartRequested = {
        flow,
        requestId,
        bundleHash: null,
        graph: null,
        ...(await uploadedCode(given, context)),
        parameters: JSON.stringify(run.parameters),
        cause: { kind: 'resume', id: requestId, position: null },
        actor,
        tags,
        resume: { runId: origin, from, inPlace, code, version, bundleHash },
      };
      return await answerStart(context, { request, reply, operation }, data, { originRunId: origin, requestId });
    },
  );
};

async function deployed(flow: string, { tables }: GatewayContext): Promise<void> {
  if ((await tables.flows.find(flow)) !== undefined) return;
  throw new MillraceError(
    'NOT_FOUND',
    `there is no deployed flow '${flow}': resume with the code of the run, or a file`,
  );
}
