/** A worker for tests that does what its task says. */
import { answerTasks } from '../../../services/scorer/answer-tasks.ts';

export type Behaviour =
  | { readonly do: 'double'; readonly value: number }
  | { readonly do: 'throw' | 'hang' | 'exit' | 'grow' };

answerTasks<Behaviour>((task) => {
  switch (task.do) {
    case 'double':
      return 2 * task.value;
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
