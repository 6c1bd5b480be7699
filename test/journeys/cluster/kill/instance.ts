/**
 * One instance of every service, for the kill test to kill, freeze and wake. Configured by the environment; the argument is its own
 * directory. It says `up <url>` when it has caught up.
 */
import { resolveConfiguration } from '../../../../runtime/config/resolve.ts';
import { startPlatform } from '../../../../services/all-in-one/platform.ts';

const [directory = ''] = process.argv.slice(2);
const flags = { directory, 'http.port': '0', 'worker.slots': '2' };
const platform = await startPlatform({ configuration: resolveConfiguration({ environment: process.env, flags }) });
process.once('SIGTERM', () => void platform.close().then(() => process.exit(0)));
await platform.ready();
console.log(`up ${platform.url}`);
