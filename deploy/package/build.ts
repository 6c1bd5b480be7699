/** `dist`: the published JavaScript, its types, and the licences of the packages that are inside it. Run: `npm run build`. */
import { execFileSync } from 'node:child_process';
import { readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundlePackage, inlinedPackages, packageEntries } from './bundle.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const dist = join(root, 'dist');
rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), '-p', 'tsconfig.build.json'], {
  cwd: root,
  stdio: 'inherit',
});
await bundlePackage({ root, outdir: dist, entries: packageEntries, sourcemap: true });
writeFileSync(join(dist, 'third-party-licences.txt'), inlinedPackages.map(licenceOf).join('\n\n'));

function licenceOf(name: string): string {
  const folder = join(root, 'node_modules', name);
  const file = readdirSync(folder).find((each) => /^licen[cs]e/i.test(each));
  if (file === undefined) throw new Error(`${name} has no licence file in ${folder}: it may not be put inside`);
  return `${name}\n\n${readFileSync(join(folder, file), 'utf8').trim()}\n`;
}
