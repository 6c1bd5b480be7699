import { schemaTexts } from '../events.generated.ts';

/** Schema texts of the catalogue: canonical, as the generator writes them. */
export const generatedTexts: ReadonlySet<string> = new Set(Object.values(schemaTexts));
