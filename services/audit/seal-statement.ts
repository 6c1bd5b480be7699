/** What a seal says must be in its file, and who vouches for it: hash-chained from seal to seal, signed with Ed25519 where there is a key. */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import { messageOf, MillraceError } from '../../runtime/ports/errors.ts';
import type { AuditSealed } from '../../schemas/events.ts';

export type SealStatement = Omit<AuditSealed, 'keyId' | 'signature'>;

export interface SealSigner {
  /** First 16 hex digits of the sha256 of the public key in DER. */
  readonly keyId: string;
  sign(text: string): string;
}

/** The text that is hashed and signed: a JSON list, so that no field can be mistaken for another. */
export function statementText(seal: SealStatement, keyId: string): string {
  return JSON.stringify([
    'millrace-audit-seal/1',
    seal.topic,
    seal.partition,
    seal.sequence,
    seal.fromOffset,
    seal.toOffset,
    seal.records,
    seal.previous,
    seal.digest,
    seal.fromTimeMs,
    seal.timeMs,
    seal.merkleRoot,
    seal.fileHash,
    seal.fileBytes,
    seal.previousSeal,
    keyId,
  ]);
}

/** What the next seal calls `previousSeal`. */
export function hashOfSeal(seal: AuditSealed): string {
  return createHash('sha256').update(statementText(seal, seal.keyId)).digest('hex');
}

export function signed(statement: SealStatement, signer: SealSigner | undefined): AuditSealed {
  const keyId = signer?.keyId ?? '';
  return { ...statement, keyId, signature: signer?.sign(statementText(statement, keyId)) ?? '' };
}

/** @param text PKCS#8 of an Ed25519 private key in PEM, its lines apart by newlines or by `\\n`. INVALID_CONFIGURATION for anything else. */
export function sealSigner(text: string): SealSigner {
  const pem = text.replaceAll('\\n', '\n');
  const key = ed25519(() => createPrivateKey(pem));
  return {
    keyId: keyIdOf(createPublicKey(key)),
    sign: (text) => sign(null, Buffer.from(text), key).toString('base64'),
  };
}

/** @param pem SPKI of an Ed25519 public key. */
export function sealVerifier(pem: string): (seal: AuditSealed) => boolean {
  const key = ed25519(() => createPublicKey(pem));
  const keyId = keyIdOf(key);
  return (seal) =>
    seal.keyId === keyId &&
    verify(null, Buffer.from(statementText(seal, seal.keyId)), key, Buffer.from(seal.signature, 'base64'));
}

function ed25519(parse: () => KeyObject): KeyObject {
  try {
    const key = parse();
    if (key.asymmetricKeyType === 'ed25519') return key;
    throw new Error(`it is of type ${key.asymmetricKeyType}`);
  } catch (cause) {
    throw new MillraceError(
      'INVALID_CONFIGURATION',
      `the key of the audit seals is no Ed25519 key in PEM (${messageOf(cause)}): make one with 'openssl genpkey -algorithm ed25519'`,
      { cause },
    );
  }
}

const keyIdOf = (publicKey: KeyObject): string =>
  createHash('sha256')
    .update(publicKey.export({ type: 'spki', format: 'der' }))
    .digest('hex')
    .slice(0, 16);
