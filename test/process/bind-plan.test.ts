import { describe, expect, test } from 'vitest';
import { parseAddress, showAddress } from '../../app/config/address.ts';
import { type ListenEndpoint, type listenSettings, planEndpoints } from '../../app/process/bind-plan.ts';

const addresses = (...texts: string[]) =>
  texts.map((text) => {
    const address = parseAddress(text);
    if (!address) throw new Error(text);
    return address;
  });
const plan = (
  processes: number,
  settings: Partial<Record<(typeof listenSettings)[number], string[]>>,
  passed: ListenEndpoint[] = [],
  store = 'memory',
) => {
  const { http = [], 'http-socket': fronted = [], socket = [] } = settings;
  const planned = planEndpoints(
    { processes, store, http: addresses(...http), 'http-socket': addresses(...fronted), socket: addresses(...socket) },
    passed,
  );
  return 'faults' in planned
    ? planned
    : planned.workers.map((places) => places.map(({ setting, address }) => `${setting} ${showAddress(address)}`));
};

describe('the bind plan', () => {
  test('of one worker has the addresses of the settings in order', () => {
    expect(plan(1, { socket: ['/run/app.%w.sock'], http: [':80', '[::1]:81'], 'http-socket': ['fd:5'] })).toEqual([
      ['http :80', 'http [::1]:81', 'http-socket fd:5', 'socket /run/app.1.sock'],
    ]);
  });
  test('replaces %w by the worker number, counts ports up, and keeps port 0', () => {
    expect(plan(3, { 'http-socket': ['127.0.0.1:9090', ':0'], socket: ['/run/%w/app.%w.sock'] })).toEqual(
      [1, 2, 3].map((n) => [`http-socket 127.0.0.1:${9089 + n}`, 'http-socket :0', `socket /run/${n}/app.${n}.sock`]),
    );
  });
  test('distributes inherited sockets in turn', () => {
    expect(plan(2, { socket: ['fd:3', 'fd:4', 'fd:5', 'fd:6'] })).toEqual([
      ['socket fd:3', 'socket fd:5'],
      ['socket fd:4', 'socket fd:6'],
    ]);
    expect(plan(2, { socket: ['fd:3'] })).toHaveProperty('faults');
  });
  test('replaces the addresses of a setting by passed sockets, and no others', () => {
    const passed: ListenEndpoint[] = [{ setting: 'http', address: { kind: 'fd', fd: 3 } }];
    expect(plan(1, { http: [':80', ':81'], socket: [':3031'] }, passed)).toEqual([['http fd:3', 'socket :3031']]);
  });
  test('with a store lets every worker listen on the same --http address', () => {
    const settings = { http: [':80'], socket: ['/run/app.%w.sock'] };
    expect(plan(2, settings, [], 'valkey://host')).toEqual([
      ['http :80', 'socket /run/app.1.sock'],
      ['http :80', 'socket /run/app.2.sock'],
    ]);
    const passed: ListenEndpoint[] = [{ setting: 'http', address: { kind: 'fd', fd: 3 } }];
    expect(plan(2, {}, passed, 'valkey://host')).toEqual([['http fd:3'], ['http fd:3']]);
  });
  test.each([
    [{ http: [':80'] }, /each room lives in one worker/],
    [{ socket: ['/run/app.sock'] }, /write %w/],
    [{ socket: [':3031'], 'http-socket': [':3032'] }, /^:3032: two workers would use this address/],
  ])('refuses to share %j between two workers', (settings, fault) => {
    expect(plan(2, settings)).toEqual({ faults: [expect.stringMatching(fault)] });
    expect(plan(1, settings)).not.toHaveProperty('faults');
  });
});
