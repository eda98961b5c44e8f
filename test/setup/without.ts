/** What `npm test` found missing on this machine: nginx, nginx-SUITE, chromium, firefox-esr, iproute2, iptables, logrotate, coturn, redis-server, docker. It has told how to get them. */
export const missing = new Set(process.env.TEST_WITHOUT?.split(','));

/** For `describe.skipIf(without('nginx'))`: tests that need what is not there are skipped, and counted. */
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

/** Whether `npm run test:all` asks for every combination where `npm test` takes some of them. */
export const isThorough = process.env.TEST_ALL === '1';
