/** Entry of the thread that writes much into a store of SQLite. */
import { parentPort, workerData } from 'node:worker_threads';
import { MillraceError, messageOf } from '../../ports/errors.ts';
import { SqliteWriter } from './sqlite-writer.ts';
import type { WriterAnswer, WriterRequest, WriterThreadData } from './sqlite-writer-handle.ts';

const { file, schema } = workerData as WriterThreadData;
const writer = new SqliteWriter(file, schema);

parentPort?.on('message', (request: WriterRequest) => {
  if (request.kind === 'close') {
    writer.close();
    parentPort?.close();
    return;
  }
  const answer = (failure: WriterAnswer['failure']): void =>
    parentPort?.postMessage({ failure } satisfies WriterAnswer);
  writer.run(request).then(
    () => answer(undefined),
    (error: unknown) =>
      answer({ code: error instanceof MillraceError ? error.code : undefined, message: messageOf(error) }),
  );
});
