/**
 * The programs that `npm test` did not find on this machine: nginx, nginx-SUITE, chromium, firefox-esr, iproute2, iptables, logrotate,
 * coturn, redis-server, docker. It has printed how to install them.
 */
export const missing = new Set(process.env.TEST_WITHOUT?.split(','));

/** For `describe.skipIf(without('nginx'))`: tests that need a missing program are skipped and counted. */
export const without = (
  ...names: (
    | 'nginx'
    | 'chromium'
    | 'firefox-esr'
    | 'iproute2'
    | 'iptables'
    | 'logrotate'
    | 'coturn'
    | 'redis-server'
    | 'valkey-server'
    | 'docker'
  )[]
): boolean => names.some((name) => missing.has(name));

/** Whether every combination is tested (`npm run test:all`), and not only some of them (`npm test`). */
export const isThorough = process.env.TEST_ALL === '1';
