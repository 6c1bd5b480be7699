/** Who has a partition of one topic: index = partition. */
export type Owners<M> = readonly (M | undefined)[];

/**
 * Shares the partitions of one topic evenly (the counts differ by one at most), and lets members keep what they have as far as
 * that allows. Members with the same subscriptions get the same partition numbers of every topic with as many partitions.
 */
export function assignPartitions<M>(partitions: number, members: readonly M[], before: Owners<M>): Owners<M> {
  const owners = new Array<M | undefined>(partitions).fill(undefined);
  if (members.length === 0) return owners;
  const share = Math.floor(partitions / members.length);
  let largerShares = partitions % members.length;
  const counts = new Map<M, number>(members.map((member) => [member, 0]));
  for (let partition = 0; partition < partitions; partition++) {
    const owner = before[partition];
    const count = owner === undefined ? undefined : counts.get(owner);
    if (owner === undefined || count === undefined || count > share || (count === share && largerShares === 0))
      continue;
    if (count === share) largerShares--;
    counts.set(owner, count + 1);
    owners[partition] = owner;
  }
  for (let partition = 0; partition < partitions; partition++) {
    if (owners[partition] !== undefined) continue;
    const [smallest] = [...counts].reduce((least, entry) => (entry[1] < least[1] ? entry : least));
    counts.set(smallest, (counts.get(smallest) ?? 0) + 1);
    owners[partition] = smallest;
  }
  return owners;
}
