import pino from 'pino';
import type { Configuration } from '../config/settings.ts';
import type { Logger } from '../engine/runtime.ts';

export function createLogger(configuration: Configuration): Logger {
  return pino(
    { level: configuration['log.level'], base: null, timestamp: pino.stdTimeFunctions.isoTime },
    pino.destination({ dest: 2, sync: true }),
  );
}
