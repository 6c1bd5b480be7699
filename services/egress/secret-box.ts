/** Signing secrets on the log: AES-256-GCM under the platform's key, bound to the webhook that they are for. */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MillraceError } from '../../runtime/ports/errors.ts';

export interface SecretBox {
  seal(secret: string, webhook: string): string;
  /** CORRUPT when it was sealed with another key, or for another webhook. */
  open(sealed: string, webhook: string): string;
}

/** The configured key; else, in the local profile, the one in the directory, made when there is none; else nothing can be sealed. */
export function openSecretBox(configured: string, directory: string | undefined): SecretBox {
  const text = configured === '' && directory !== undefined ? keyOf(directory) : configured;
  if (configured !== '' && configured.length < 32)
    throw new MillraceError('INVALID_CONFIGURATION', 'webhooks.key must have 32 characters or more');
  return {
    seal: (secret, webhook) => (secret === '' ? '' : seal(keyFrom(text), secret, webhook)),
    open: (sealed, webhook) => (sealed === '' ? '' : open(keyFrom(text), sealed, webhook)),
  };
}

function keyOf(directory: string): string {
  const file = join(directory, 'webhooks.key');
  try {
    writeFileSync(file, randomBytes(32).toString('base64url'), { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  return readFileSync(file, 'utf8');
}

function keyFrom(text: string): Buffer {
  if (text === '')
    throw new MillraceError(
      'INVALID_CONFIGURATION',
      'set webhooks.key: the secrets of webhooks are on the log encrypted with it',
    );
  return Buffer.from(hkdfSync('sha256', text, '', 'millrace webhooks', 32));
}

function seal(key: Buffer, secret: string, webhook: string): string {
  const nonce = randomBytes(12);
  const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(webhook));
  const text = Buffer.concat([cipher.update(secret, 'utf8'), cipher.final()]);
  return Buffer.concat([nonce, cipher.getAuthTag(), text]).toString('base64');
}

function open(key: Buffer, sealed: string, webhook: string): string {
  const bytes = Buffer.from(sealed, 'base64');
  try {
    const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, 12)).setAAD(Buffer.from(webhook));
    decipher.setAuthTag(bytes.subarray(12, 28));
    return Buffer.concat([decipher.update(bytes.subarray(28)), decipher.final()]).toString('utf8');
  } catch (error) {
    throw new MillraceError(
      'CORRUPT',
      `the secret of webhook '${webhook}' was encrypted with another webhooks.key: give it a new one`,
      { cause: error },
    );
  }
}
