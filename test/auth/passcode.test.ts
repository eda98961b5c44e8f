/** Passcodes: hashed in turn and not twice. The tests of rooms cover their use. */
import { expect, test } from 'vitest';
import { matches, newSalt, PasscodeHasher } from '../../app/auth/passcode.ts';

/** A hash that ends when the test says so. */
const slow = () => {
  const order: string[] = [];
  const ends: (() => void)[] = [];
  const hash = (text: string): Promise<string> => {
    order.push(text);
    return new Promise((resolve) => ends.push(() => resolve(`hash of ${text}`)));
  };
  const endNext = async (): Promise<void> => {
    ends.shift()?.();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { hasher: new PasscodeHasher(hash), order, endNext };
};

test('a passcode matches itself in any Unicode normalization form, and nothing else', async () => {
  const hasher = new PasscodeHasher();
  const salt = newSalt();
  const passcode = { salt, hash: await hasher.hash('se\u0301same', salt, '') };
  expect(matches(passcode, await hasher.hash('s\u00e9same', salt, ''))).toBe(true);
  expect(matches(passcode, await hasher.hash('sesame', salt, ''))).toBe(false);
  expect(await hasher.hash('sesame', newSalt(), '')).not.toBe(await hasher.hash('sesame', salt, ''));
});

test('passcodes are hashed one at a time, and networks take turns', async () => {
  const { hasher, order, endNext } = slow();
  for (const text of ['a1', 'a2', 'a3', 'a4']) void hasher.hash(text, '', 'a');
  const other = hasher.hash('b1', '', 'b');
  expect(order).toEqual(['a1']);
  await endNext();
  await endNext();
  expect(order).toContain('b1');
  await endNext();
  expect(await other).toBe('hash of b1');
});

test('a recently hashed or queued passcode is not hashed again', async () => {
  const { hasher, order, endNext } = slow();
  const both = [hasher.hash('one', 'salt', 'a'), hasher.hash('one', 'salt', 'b')];
  expect([hasher.knows('one', 'salt'), hasher.knows('one', 'other salt')]).toEqual([true, false]);
  await endNext();
  expect(await Promise.all([...both, hasher.hash('one', 'salt', 'c')])).toEqual(Array(3).fill('hash of one'));
  expect(order).toEqual(['one']);
});

test('a failed hash is retried', async () => {
  let fails = true;
  const hasher = new PasscodeHasher(async () => {
    if (fails) throw new Error('no memory');
    return 'hash';
  });
  await expect(hasher.hash('one', '', '')).rejects.toThrow('no memory');
  fails = false;
  expect(await hasher.hash('one', '', '')).toBe('hash');
});

test('a hash that throws at once does not stop the next ones', async () => {
  let fails = true;
  const hasher = new PasscodeHasher((text) => {
    if (fails) throw new Error('no memory');
    return Promise.resolve(`hash of ${text}`);
  });
  await expect(hasher.hash('one', '', '')).rejects.toThrow('no memory');
  fails = false;
  expect(await hasher.hash('two', '', '')).toBe('hash of two');
});
