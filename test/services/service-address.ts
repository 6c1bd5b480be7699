/**
 * The address of a real service, from the environment variable that the service lane sets. Without it the file's tests are skipped,
 * with the reason printed; in CI that is a failure.
 */
export function serviceAddress(
  variable: string,
  startedBy: string,
): { readonly address: string; readonly missing: boolean } {
  const address = process.env[variable] ?? '';
  if (address !== '') return { address, missing: false };
  const reason = `${variable} is not set: start the service with test/services/${startedBy} and set it to the address that it prints.`;
  if (process.env['CI'] === 'true') throw new Error(reason);
  console.warn(`skipped: ${reason}`);
  return { address, missing: true };
}
