/** Settings that conflict with each other. */
import { describe, expect, test } from 'vitest';
import { load } from '../../app/config/load.ts';
import { faultsOf, loadYaml } from './loading.ts';

describe('conflicting settings', () => {
  test.each([
    ['--http :1 --http :1', '--http: :1 is already used by --http'],
    ['--http :1 --socket :1', '--socket: :1 is already used by --http'],
    ['--http-socket :1 --socket 127.0.0.1:1', '--socket: 127.0.0.1:1 is already used by --http-socket'],
    ['--socket 0.0.0.0:1 --http-socket 10.0.0.1:1', '--socket: 0.0.0.0:1 is already used by --http-socket'],
    ['--socket [::]:1 --socket 10.0.0.1:1', '--socket: 10.0.0.1:1 is already used by --socket'],
    ['--socket /a --http-socket unix:/a', '--socket: /a is already used by --http-socket'],
    ['--socket fd:3 --http fd:3', '--socket: fd:3 is already used by --http'],
    ['--turn-url turn:t:3478', '--turn-url: requires turn-secret, from which credentials for browsers are made'],
    ['--turn-secret sixteen-letters-x', '--turn-secret: has no effect without turn-url'],
    ['--store-password x', '--store-password: has no effect unless store is a URL'],
    ['--store-cluster', '--store-cluster: has no effect unless store is a URL'],
    ['--store embedded --store-password x', '--store-password: has no effect unless store is a URL'],
    ['--state-dir x', '--state-dir: has no effect unless store is embedded'],
    ['--limit-post 2000', '--limit-post: must be at least the size of one message (max-message-bytes (the default))'],
    [
      '--max-message-bytes 2000000 --limit-post 3000000',
      'max-unsent-bytes (the default): must be at least the size of one message (--max-message-bytes)',
    ],
  ])('%s', (flags, fault) => {
    expect(faultsOf(load(flags.split(' '), {}))).toEqual([fault]);
  });

  test.each([
    '--http 127.0.0.1:0 --socket 127.0.0.1:0 --http-socket 127.0.0.1:0',
    '--socket :1 --http-socket 127.0.0.2:1',
    '--socket 0.0.0.0:1 --http-socket [::1]:1',
    '--socket /a --socket /b --http fd:3 --socket fd:4',
    '--store valkeys://genkan@host:6380/1 --store-password x --store-cluster true',
    '--max-message-bytes 2000 --limit-post 2000',
    '--turn-url turn:t --turn-url turns:t:443?transport=tcp --turn-secret sixteen-letters-x',
  ])('%s do not conflict', (flags) => {
    expect(faultsOf(load(flags.split(' '), {}))).toEqual([]);
  });

  test('are reported together with invalid values, with lines', () => {
    const text =
      'genkan:\n  max-peers: 1\n  socket:\n    - :1\n    - 127.0.0.1:1\n  evil-reload-on-rss: 5\n  reload-on-rss: 6\n';
    const faults = faultsOf(loadYaml(text));
    expect(faults).toEqual([
      'f.yaml:2: max-peers: must be a whole number from 2 to 1000',
      'f.yaml:5: socket: 127.0.0.1:1 is already used by f.yaml:4: socket',
      'f.yaml:6: evil-reload-on-rss: must be more than f.yaml:7: reload-on-rss, or no worker ever drains',
    ]);
  });
});
