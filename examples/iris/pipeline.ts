import { deployment, pipeline } from '../../sdk/index.ts';

/** Custom logic over both models: the logistic regression decides on setosas, which it is sure of; else the boosted trees do. */
export default deployment('iris-pipeline')
  .route(
    'pipeline',
    pipeline({ logistic: 'models:/iris@logistic', trees: 'models:/iris@trees' }, async (flower, models) => {
      const { probabilities } = await models.logistic(flower);
      const setosa = (probabilities as readonly number[])[0] ?? 0;
      return setosa > 0.5
        ? { probabilities, decided_by: 'logistic' }
        : { ...(await models.trees(flower)), decided_by: 'trees' };
    }),
  )
  .features(['sepal length', 'sepal width', 'petal length', 'petal width'])
  .output('probabilities');
