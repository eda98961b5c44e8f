/** Finds upstream groups of an existing nginx configuration that keep idle connections longer than the app does. */
import { isAtLeast, type Version } from './version.ts';

/**
 * @param configuration the output of `nginx -T`
 * @param app the app's HTTP addresses in nginx's syntax
 * @param keepAlive the app's keep-alive-timeout, in seconds
 * @returns a sentence for each group
 */
export const longIdleTimes = (
  configuration: string,
  app: readonly string[],
  keepAlive: number,
  version: Version,
): string[] => {
  const text = configuration.replaceAll(/(^|\s)#.*$/gm, '$1');
  return [...text.matchAll(/\bupstream\s+(\S+)\s*\{([^}]*)\}/g)].flatMap(([, name, block = '']) => {
    const servers = [...block.matchAll(/\bserver\s+([^\s;]+)/g)].map(([, address = '']) => address);
    const idle = keptFor(block, version);
    return servers.some((address) => app.includes(address)) && idle >= keepAlive
      ? [
          `nginx: upstream ${name} keeps idle connections for ${idle} s, the app for ${keepAlive} s (keep-alive-timeout)${advice}`,
        ]
      : [];
  });
};

const advice =
  ': a request may meet a closing connection, and be answered with 502; set keepalive_timeout in it to less';

/** Seconds that nginx keeps an idle connection of this group; 0 if none. */
const keptFor = (block: string, version: Version): number => {
  // The default since nginx 1.29.7: https://nginx.org/en/docs/http/ngx_http_upstream_module.html#keepalive
  const count = /\bkeepalive\s+(\d+)/.exec(block)?.[1] ?? (isAtLeast(version, [1, 29, 7]) ? 32 : 0);
  return Number(count) === 0 ? 0 : secondsOf(/\bkeepalive_timeout\s+([^\s;]+)/.exec(block)?.[1] ?? '60s');
};

/** Of a time in nginx's syntax, such as `75`, `1m30s` or `500ms`: https://nginx.org/en/docs/syntax.html */
const secondsOf = (time: string): number =>
  [...time.matchAll(/(\d+)(ms|[smhdwMy]?)/g)].reduce(
    (sum, [, value, unit = '']) => sum + Number(value) * (units[unit] ?? 1),
    0,
  );

const units: Record<string, number> = {
  ms: 0.001,
  m: 60,
  h: 3600,
  d: 86_400,
  w: 604_800,
  M: 2_592_000,
  y: 31_536_000,
};
