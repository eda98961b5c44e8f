/** What `npm test` found missing on this machine: nginx, chromium, iproute2, redis-server, docker. It has told how to get them. */
const missing = new Set(process.env.TEST_WITHOUT?.split(','));

/** For `describe.skipIf(without('nginx'))`: tests that need what is not there are skipped, and counted. */
export const without = (
  ...names: ('nginx' | 'chromium' | 'iproute2' | 'redis-server' | 'valkey-server' | 'docker')[]
): boolean => names.some((name) => missing.has(name));
