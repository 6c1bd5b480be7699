import { MillraceError, messageOf } from '../../ports/errors.ts';

/** Protocol error codes that the adapter tells apart. https://kafka.apache.org/protocol#protocol_error_codes */
export const wireCodes = {
  none: 0,
  offsetOutOfRange: 1,
  unknownTopicOrPartition: 3,
  requestTimedOut: 7,
  messageTooLarge: 10,
  recordListTooLarge: 18,
  notEnoughReplicasAfterAppend: 20,
  topicAuthorizationFailed: 29,
  clusterAuthorizationFailed: 31,
} as const;

/** Codes after which the very same produce request may succeed: the leader moved, replicas lag, the broker is busy. */
const passing = new Set([2, 3, 5, 6, 7, 8, 9, 13, 19, 20, 56, 72, 74, 75, 78, 89]);
/** Codes that say that the producer's sequence is out of step, so that nothing is known about the batch. */
const outOfStep = new Set([45, 46, 47, 48, 49, 59, 90]);

export type ProduceFate = 'written' | 'again' | 'unknown' | 'refused';

/** What an answer of the broker says about one partition's batch. */
export function produceFate(code: number): ProduceFate {
  if (code === wireCodes.none) return 'written';
  if (passing.has(code)) return 'again';
  return outOfStep.has(code) ? 'unknown' : 'refused';
}

/** A refused batch stays unwritten, except that these may have been appended before they were refused. */
export const mayBeAppended = (code: number): boolean =>
  code === wireCodes.requestTimedOut || code === wireCodes.notEnoughReplicasAfterAppend;

export function refusal(code: number, where: string): MillraceError {
  const details = { where, kafkaCode: code };
  if (code === wireCodes.messageTooLarge || code === wireCodes.recordListTooLarge) {
    return new MillraceError(
      'TOO_LARGE',
      `The broker refused a batch for ${where}: over the topic's max.message.bytes.`,
      { details },
    );
  }
  if (code === wireCodes.topicAuthorizationFailed || code === wireCodes.clusterAuthorizationFailed) {
    return new MillraceError('FORBIDDEN', `The broker does not let this client write to ${where}. Check its ACLs.`, {
      details,
    });
  }
  return new MillraceError('INVALID_ARGUMENT', `The broker refused a batch for ${where} with the Kafka code ${code}.`, {
    details,
  });
}

/** The protocol's name of a kafkajs error, such as REBALANCE_IN_PROGRESS; looks through wrapped errors. */
export function wireType(error: unknown): string | undefined {
  let current: unknown = error;
  for (let depth = 0; depth < 5 && current instanceof Error; depth++) {
    if ('type' in current && typeof current.type === 'string') return current.type;
    current = 'errors' in current && Array.isArray(current.errors) ? current.errors[0] : current.cause;
  }
  return undefined;
}

/** Errors that another attempt cannot heal. */
const lasting = new Set([
  'TOPIC_AUTHORIZATION_FAILED',
  'GROUP_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'UNSUPPORTED_VERSION',
  'INVALID_TOPIC_EXCEPTION',
  'INVALID_PARTITIONS',
  'INVALID_REPLICATION_FACTOR',
  'INVALID_CONFIG',
  'INVALID_REQUEST',
  'INVALID_GROUP_ID',
  'INVALID_SESSION_TIMEOUT',
  'INCONSISTENT_GROUP_PROTOCOL',
  'GROUP_MAX_SIZE_REACHED',
  'POLICY_VIOLATION',
  'OFFSET_OUT_OF_RANGE',
]);

export function isLasting(error: unknown): boolean {
  if (error instanceof MillraceError) return !error.retryable;
  const type = wireType(error);
  if (type !== undefined) return lasting.has(type);
  return error instanceof Error && error.name.startsWith('KafkaJSSASL');
}

/** What a caller of the port sees of a failure of the client or the broker. */
export function asMillraceError(error: unknown, doing: string): MillraceError {
  if (error instanceof MillraceError) return error;
  const type = wireType(error);
  const says = `Kafka failed while ${doing}: ${messageOf(error)}`;
  const options = { cause: error, details: type === undefined ? {} : { kafkaError: type } };
  const refusedCredentials = type?.includes('SASL') ?? (error instanceof Error && error.name.startsWith('KafkaJSSASL'));
  if (refusedCredentials || type?.endsWith('_AUTHORIZATION_FAILED'))
    return new MillraceError('FORBIDDEN', says, options);
  if (type === 'INVALID_TOPIC_EXCEPTION' || type?.startsWith('INVALID_')) {
    return new MillraceError('INVALID_ARGUMENT', says, options);
  }
  return new MillraceError('UNAVAILABLE', says, options);
}
