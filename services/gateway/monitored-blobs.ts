/** What a deployment's monitors name by its hash. A small artifact lies in its event alone: consumers of the deployment read blobs. */
import type { DeploymentDocument } from '../../schemas/deployment-document.ts';
import { detectorsOf } from '../../schemas/detectors.ts';
import type { GatewayContext } from './gateway-context.ts';

/**
 * Makes a blob of each artifact that the monitors name, where there is none.
 *
 * @returns what is wrong: hashes that neither a blob nor an artifact has
 */
export async function keepMonitored(
  document: DeploymentDocument,
  { options: { queries, runtime } }: GatewayContext,
): Promise<readonly string[]> {
  const { blobs } = runtime.parts;
  const problems: string[] = [];
  for (const [hash, where] of namedIn(document)) {
    if ((await blobs.stat(hash)) !== undefined) continue;
    const [artifact] = (await queries.listArtifacts({ hash, limit: 1 })).artifacts;
    const inline = artifact?.inline ?? null;
    if (inline !== null) await blobs.put(Buffer.from(inline, 'base64'));
    else problems.push(`${where}: no artifact and no blob has the hash ${hash}`);
  }
  return problems;
}

function namedIn(document: DeploymentDocument): ReadonlyMap<string, string> {
  const named = new Map<string, string>();
  const { referenceHash } = document.monitors;
  if (referenceHash !== undefined) named.set(referenceHash, 'monitors.referenceHash');
  for (const { name, reference, fittedHash } of detectorsOf(document)) {
    if (fittedHash !== undefined) named.set(fittedHash, `detector '${name}', fittedHash`);
    if (reference?.kind === 'artifact')
      named.set(reference.hash, named.get(reference.hash) ?? `detector '${name}', reference`);
  }
  return named;
}
