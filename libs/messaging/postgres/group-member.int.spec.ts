import { testDatabase } from '#testing';
import { roundRobin } from '../conformance/ledger';
import { PARTITIONS, writeOutbox } from '../outbox/outbox';
import { GroupMember } from './group-member';

it('commits of each partition what is done of that one', async () => {
  const { db, drop } = await testDatabase();
  await writeOutbox(db, roundRobin('test.v1', ['a'], PARTITIONS));
  const member = new GroupMember(db, 'readers', 60_000, () => undefined);
  await member.join('earliest');
  await member.rebalance();
  const claims = [...member.claims.values()];
  for (const claim of claims) claim.done = claim.partition;
  await member.commit(claims);
  expect(await db.query('select partition, position from bus.group_offset order by partition')).toEqual(
    Array.from({ length: PARTITIONS }, (_, partition) => ({ partition, position: partition })),
  );
  await drop();
});
