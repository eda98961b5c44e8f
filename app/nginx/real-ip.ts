/** snippets/genkan-real-ip.conf: the client's address when nginx is behind a proxy. */
import type { SiteSpec } from './site-spec.ts';

export const realIp = ({ trustedProxies }: SiteSpec): string => `\
# Who the client is: the last address in X-Forwarded-For that is none of these proxies. From here on $remote_addr is the client:
# for limits, log and app. nginx 1.22 or later, built with realip, as Debian's and the official image's are.
# https://nginx.org/en/docs/http/ngx_http_realip_module.html
# (!) Name the proxies and nobody else: whoever connects from one of these networks may claim any address. Docker's own networks
# are private ones, so "all private networks" is everybody.
${trustedProxies.map((network) => `set_real_ip_from ${network};`).join('\n')}
real_ip_header X-Forwarded-For;

# Several proxies one behind the other are all skipped; by default only the last one is, and the client could write the rest.
real_ip_recursive on;
`;
