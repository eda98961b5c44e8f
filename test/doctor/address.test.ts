/** A name with several addresses, some of which do not respond. */
import { createServer } from 'node:net';
import { expect, test } from 'vitest';
import { tryAddresses } from '../../app/doctor/checks/address.ts';
import { readWords } from '../../app/doctor/options.ts';

/** Findings for a name with these addresses; only 127.0.0.1 is listened on. */
const examine = async (...addresses: string[]) => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const bound = server.address();
  const asked = readWords([`http://meet.example:${typeof bound === 'object' ? bound?.port : 0}`]);
  if ('faults' in asked) throw new Error(asked.faults.join('; '));
  const findings = await tryAddresses(asked.site, addresses);
  server.close();
  return findings.map((one) => ('name' in one ? one.name : one.level));
};

test('some or all of its addresses do not respond', async () => {
  expect(await examine('127.0.0.1')).toEqual(['ok']);
  expect(await examine('127.0.0.1', '127.0.0.2')).toEqual(['ok', 'address-dead']);
  expect(await examine('127.0.0.2', '127.0.0.3')).toEqual(['unreachable']);
  expect(await examine()).toEqual(['name-unknown']);
});
