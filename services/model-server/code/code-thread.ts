/** What a code thread runs: one bundle, many calls at a time. */
import { pathToFileURL } from 'node:url';
import { parentPort, workerData } from 'node:worker_threads';
import { callCode, functionOf, functionsOf } from '../../../runtime/inference-graph/call-code.ts';
import { MillraceError, messageOf, type Tensor } from '../../../runtime/ports/index.ts';
import type { FromThread, ThreadCall, ThreadData, ToThread } from './messages.ts';

const asked = new Map<number, { resolve(outputs: readonly Tensor[]): void; reject(error: unknown): void }>();
let asks = 0;
let waiting: FromThread[] = [];

/** What is said in one turn goes in one post. */
function say(message: FromThread): void {
  waiting.push(message);
  if (waiting.length > 1) return;
  setImmediate(() => {
    const messages = waiting;
    waiting = [];
    parentPort?.postMessage(messages);
  });
}

function hear(message: ToThread, code: unknown): void {
  switch (message.type) {
    case 'call':
      void answer(message, code);
      break;
    case 'told':
      asked.get(message.ask)?.resolve(message.outputs);
      asked.delete(message.ask);
      break;
    case 'refused':
      asked.get(message.ask)?.reject(new MillraceError(message.code, message.message));
      asked.delete(message.ask);
      break;
    case 'ping':
      say({ type: 'pong' });
      break;
  }
}

async function answer(call: ThreadCall, code: unknown): Promise<void> {
  const { id } = call;
  const ask = (model: string, inputs: readonly Tensor[]): Promise<readonly Tensor[]> =>
    new Promise((resolve, reject) => {
      asks += 1;
      asked.set(asks, { resolve, reject });
      say({ type: 'ask', id, ask: asks, model, inputs });
    });
  try {
    say({ type: 'answer', id, answer: await callCode(functionOf(code, call.function), { ...call, ask }) });
  } catch (error) {
    say({
      type: 'failed',
      id,
      code: error instanceof MillraceError ? error.code : 'INTERNAL',
      message: messageOf(error),
    });
  }
}

async function start(): Promise<void> {
  const { bundle } = workerData as ThreadData;
  let code: unknown;
  let functions: readonly string[];
  try {
    code = ((await import(pathToFileURL(bundle).href)) as { default?: unknown }).default;
    functions = functionsOf(code);
  } catch (error) {
    say({ type: 'unloadable', message: messageOf(error) });
    return;
  }
  parentPort?.on('message', (messages: readonly ToThread[]) => {
    for (const message of messages) hear(message, code);
  });
  say({ type: 'loaded', functions });
}

await start();
