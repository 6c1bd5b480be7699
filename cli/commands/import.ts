import type { CommandModule } from '../command.ts';
import { migrateCommand } from '../mlflow/migrate-command.ts';

export const command: CommandModule = { configure: (cmd) => migrateCommand(cmd, 'import') };
