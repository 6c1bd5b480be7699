/** Which roles a process runs. */
import { nearest } from '../../runtime/config/nearest.ts';
import type { Configuration } from '../../runtime/config/settings.ts';
import { MillraceError } from '../../runtime/ports/errors.ts';
import { type Role, roles } from './roles.ts';
import { startWatcherThread } from './watcher-thread/topologies-thread-handle.ts';
import { watchers, watcherThread } from './watchers.ts';

/** The roles of these names, all without any. INVALID_ARGUMENT names those that do not exist. */
export function chooseRoles(only: readonly string[] | undefined): readonly Role[] {
  if (only === undefined) return roles;
  const known = roles.map(({ name }) => name);
  const unknown = only.filter((name) => !known.includes(name));
  if (unknown.length === 0) return roles.filter(({ name }) => only.includes(name));
  const named = unknown.map((name) => {
    const near = nearest(name, known, 3);
    return `'${name}'${near === undefined ? '' : ` (did you mean '${near}'?)`}`;
  });
  throw new MillraceError(
    'INVALID_ARGUMENT',
    `there is no service or topology ${named.join(', ')}: \`millrace serve --list\` lists what there is`,
  );
}

/** On the local profile, the topologies that only watch are one role: their thread. */
export function withWatcherThread(chosen: readonly Role[], configuration: Configuration): readonly Role[] {
  const watching = chosen.filter(({ name, kind }) => kind === 'topology' && watchers.has(name));
  if (configuration.profile !== 'local' || !configuration['engine.watchers_thread'] || watching.length === 0)
    return chosen;
  const thread: Role = {
    name: watcherThread,
    kind: 'topology',
    summary: watching.map(({ name }) => name).join(', '),
    start: ({ runtime }) =>
      startWatcherThread(
        runtime,
        configuration,
        watching.map(({ name }) => name),
      ),
  };
  return [thread, ...chosen.filter((role) => !watching.includes(role))];
}
