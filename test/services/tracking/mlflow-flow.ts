import { flow } from '../../../sdk/index.ts';

const script = `
import mlflow
mlflow.log_param("depth", 3)
for step in range(5):
    mlflow.log_metric("loss", 1 / (step + 1), step=step)
mlflow.log_text("because", "notes/why.txt")
`;

/** A program with MLflow in its code, and nothing else. */
export default flow('with-mlflow')
  .parameter('python', { type: 'string', default: 'python3' })
  .command('train', { run: (_, { parameters }) => [parameters.python, '-c', script] });
