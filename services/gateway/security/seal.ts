/** Marks on texts that the platform has handed out and gets back: nobody without its token makes one. */
import { createHmac } from 'node:crypto';

export type Seal = (text: string) => string;

/** @param key the platform's token; '' when it asks for none: then whoever calls may do all that a seal stands for anyway */
export function sealer(key: string): Seal {
  return (text) => createHmac('sha256', `millrace-seal\u0000${key}`).update(text).digest('hex');
}
