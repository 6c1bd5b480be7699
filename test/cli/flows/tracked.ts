import { flow } from '../../../sdk/index.ts';

/** Logs while it trains: a curve, files, a data set; then a program that finds its run in the environment. */
export default flow('tracked')
  .parameter('rate', { type: 'number', default: 0.1 })
  .step('train', (_, { tracking, parameters }) => {
    for (let step = 0; step < 20; step++) tracking.metric('loss', parameters.rate / (step + 1), step);
    tracking.metric('not a number', Number.NaN);
    tracking.param('depth', 6);
    tracking.tag('team', 'red');
    tracking.artifact('notes/why.txt', 'because');
    tracking.histogram('weights', [1, 2, 2, 3, Number.NaN]);
    tracking.confusionMatrix('kinds', ['a', 'b', 'b'], ['a', 'a', 'b']);
    tracking.dataset({ name: 'wine', digest: 'd1', context: 'training' });
    return { trained: true };
  })
  .step('tell', () => {
    const { MILLRACE_TOKEN, MLFLOW_TRACKING_TOKEN } = process.env;
    console.log({ MILLRACE_TOKEN, MLFLOW_TRACKING_TOKEN });
    const { MLFLOW_TRACKING_URI, MLFLOW_RUN_ID, MLFLOW_EXPERIMENT_ID } = process.env;
    return { told: { url: MLFLOW_TRACKING_URI, run: MLFLOW_RUN_ID, experiment: MLFLOW_EXPERIMENT_ID } };
  });
