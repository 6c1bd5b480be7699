import { queryStores } from '../../../runtime/profiles/open-query-store.ts';
import { requestLogCases } from './request-log-cases.ts';

requestLogCases('SQLite', ({ directory }) =>
  queryStores({ directory, 'query.url': '', 'kafka.prefix': '' } as never, 'query'),
);
