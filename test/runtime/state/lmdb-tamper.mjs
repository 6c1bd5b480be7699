// node lmdb-tamper.mjs <directory> <process|disk> dump|load: writes all entries of an LMDB state store to its output, or replaces
// them by those of its input, as another process would: for tests in which a store goes back or loses all under its owner.
import { readFileSync, writeSync } from 'node:fs';
import { open } from 'lmdb';

const [, , path, durability, command] = process.argv;
const environment = open({
  path,
  noSubdir: false,
  encoding: 'binary',
  keyEncoding: 'binary',
  ...(durability === 'disk' ? { overlappingSync: true } : { noSync: true }),
});
const databases = [
  environment.openDB('tasks', { useVersions: true, encoding: 'binary', keyEncoding: 'binary' }),
  environment.openDB('values', { encoding: 'binary', keyEncoding: 'binary' }),
];

if (command === 'dump') {
  const entries = databases.map((database, at) =>
    [...database.getRange({ versions: at === 0 })].map(({ key, value, version }) => [
      Buffer.from(key).toString('base64'),
      value.toString('base64'),
      version,
    ]),
  );
  writeSync(1, JSON.stringify(entries));
} else {
  const entries = JSON.parse(readFileSync(0, 'utf8'));
  environment.transactionSync(() => {
    for (const [at, database] of databases.entries()) {
      for (const key of [...database.getKeys()]) database.removeSync(key);
      for (const [key, value, version] of entries[at]) {
        database.putSync(Buffer.from(key, 'base64'), Buffer.from(value, 'base64'), version);
      }
    }
  });
}
await environment.close();
