/** snippets/genkan-real-ip.conf: the client's address when nginx is behind a proxy. */
import type { SiteSpec } from './site-spec.ts';

export const realIp = ({ trustedProxies }: SiteSpec): string => `\
# The client's address: the last one in X-Forwarded-For that is not a trusted proxy. $remote_addr then holds the client's address,
# for limits, log and app. nginx 1.22 or later, built with realip, as in Debian's packages and the official image.
# https://nginx.org/en/docs/http/ngx_http_realip_module.html
# (!) List only the proxies: any host in these networks can claim any client address. Docker's own networks are private too, so
# "all private networks" would trust everyone.
${trustedProxies.map((network) => `set_real_ip_from ${network};`).join('\n')}
real_ip_header X-Forwarded-For;

# Skip every trusted proxy in a chain; by default only the last is skipped, and the client could forge the rest.
real_ip_recursive on;
`;
