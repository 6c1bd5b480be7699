import {
  AbortMultipartUploadCommand,
  DeleteObjectCommand,
  ListMultipartUploadsCommand,
  paginateListObjectsV2,
  type S3Client,
} from '@aws-sdk/client-s3';

/** An upload that is older was left behind: no put takes that long. */
const uploadAgeMsMax = 24 * 60 * 60 * 1000;

/** Removes what killed processes left under `folder`: uploads that never ended, and whole ones that were not yet copied. */
export async function sweepUploads(
  client: S3Client,
  bucket: string,
  folder: string,
  ageMsMax: number = uploadAgeMsMax,
): Promise<void> {
  const isOld = (date: Date | undefined): boolean => date !== undefined && Date.now() - date.getTime() >= ageMsMax;
  const { Uploads = [] } = await client.send(new ListMultipartUploadsCommand({ Bucket: bucket, Prefix: folder }));
  for (const { Key, UploadId, Initiated } of Uploads) {
    if (!isOld(Initiated)) continue;
    await client.send(new AbortMultipartUploadCommand({ Bucket: bucket, Key, UploadId })).catch(() => {}); // done by another
  }
  for await (const { Contents = [] } of paginateListObjectsV2({ client }, { Bucket: bucket, Prefix: folder })) {
    for (const { Key, LastModified } of Contents) {
      if (isOld(LastModified)) await client.send(new DeleteObjectCommand({ Bucket: bucket, Key }));
    }
  }
}
