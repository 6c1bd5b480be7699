import { deployment } from '../../sdk/index.ts';

/** Both models behind one endpoint, half of the traffic each. */
export default deployment('iris')
  .route('logistic', 'models:/iris@logistic', { weight: 50 })
  .route('trees', 'models:/iris@trees', { weight: 50 })
  .features(['sepal length', 'sepal width', 'petal length', 'petal width'])
  .output('probabilities');
