import { type TopicPartition } from '../../ports/log.ts';
import { type AssignableMember, type Assignment, type OwnedPartitions } from './co-partition-assigner.ts';
import { loadKafkajs } from './kafkajs-mends.ts';

/** What members tell each other through the group's coordinator; the framing is that of all Kafka consumers. */
export const assignerName = 'millrace-co-partition';

interface AssignerProtocol {
  readonly MemberMetadata: {
    encode(metadata: {
      readonly version: number;
      readonly topics: readonly string[];
      readonly userData: Buffer;
    }): Buffer;
    decode(bytes: Buffer): { readonly topics: readonly string[]; readonly userData: Buffer | null };
  };
  readonly MemberAssignment: {
    encode(assignment: {
      readonly version: number;
      readonly assignment: Readonly<Record<string, readonly number[]>>;
      readonly userData: Buffer;
    }): Buffer;
    decode(bytes: Buffer): { readonly assignment: Readonly<Record<string, readonly number[]>> } | null;
  };
}

const protocol = (): AssignerProtocol => loadKafkajs('consumer/assignerProtocol');
const version = 0;

export function encodeMember(topics: readonly string[], owned: OwnedPartitions): Buffer {
  return protocol().MemberMetadata.encode({ version, topics, userData: Buffer.from(JSON.stringify(owned)) });
}

export function decodeMember(id: string, bytes: Buffer): AssignableMember {
  const { topics, userData } = protocol().MemberMetadata.decode(bytes);
  return { id, topics, owned: decodeOwned(userData) };
}

export function encodeAssignment(
  assignment: Assignment,
): { readonly memberId: string; readonly memberAssignment: Buffer }[] {
  return [...assignment].map(([memberId, topics]) => ({
    memberId,
    memberAssignment: protocol().MemberAssignment.encode({
      version,
      assignment: Object.fromEntries(topics),
      userData: Buffer.alloc(0),
    }),
  }));
}

export function decodeAssignment(bytes: Buffer): readonly TopicPartition[] {
  const assignment = bytes.length === 0 ? {} : (protocol().MemberAssignment.decode(bytes)?.assignment ?? {});
  return Object.entries(assignment).flatMap(([topic, partitions]) =>
    [...partitions].sort((a, b) => a - b).map((partition) => ({ topic, partition })),
  );
}

function decodeOwned(userData: Buffer | null): OwnedPartitions {
  try {
    const { generation, partitions } = JSON.parse((userData ?? '').toString()) as Partial<OwnedPartitions>;
    if (typeof generation === 'number' && Array.isArray(partitions)) return { generation, partitions };
  } catch {
    // A member of another program, or a newer one: it owned nothing that we know of.
  }
  return { generation: -1, partitions: [] };
}
