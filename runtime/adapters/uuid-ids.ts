import { v7 } from 'uuid';
import type { Ids } from '../ports/ids.ts';

/** UUIDv7 (RFC 9562, section 5.7) without dashes. */
export const uuidIds: Ids = { next: () => v7().replaceAll('-', '') };
