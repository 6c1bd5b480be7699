/** A worker for tests that does what its task says. */
import { answerTasks } from '../../../services/scorer/answer-tasks.ts';

export type Behaviour =
  | { readonly do: 'double'; readonly value: number }
  /** Ends with its thread until so many did. */
  | { readonly do: 'die'; readonly times: number; readonly deaths: Int32Array<SharedArrayBuffer> }
  /** Throws, and counts how often it was asked. */
  | { readonly do: 'refuse'; readonly asked: Int32Array<SharedArrayBuffer> }
  | { readonly do: 'throw' | 'hang' | 'exit' | 'grow' };

answerTasks<Behaviour>((task) => {
  switch (task.do) {
    case 'double':
      return 2 * task.value;
    case 'die':
      return Atomics.add(task.deaths, 0, 1) < task.times ? process.exit(7) : 42;
    case 'refuse':
      Atomics.add(task.asked, 0, 1);
      throw new Error('not with these rows');
    case 'throw':
      throw new Error('no such thing');
    case 'hang':
      for (;;);
    case 'exit':
      return process.exit(7);
    case 'grow': {
      const held: number[][] = [];
      for (;;) held.push(Array.from({ length: 10_000 }, (_, i) => i + held.length + 0.5));
    }
  }
});
