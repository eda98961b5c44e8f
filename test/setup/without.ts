/** What `npm test` found missing on this machine: nginx, chromium, firefox-esr, iproute2, iptables, redis-server, docker. It has told how to get them. */
const missing = new Set(process.env.TEST_WITHOUT?.split(','));

/** For `describe.skipIf(without('nginx'))`: tests that need what is not there are skipped, and counted. */
export const without = (
  ...names: ('nginx' | 'chromium' | 'firefox-esr' | 'iproute2' | 'iptables' | 'redis-server' | 'docker')[]
): boolean => names.some((name) => missing.has(name));
