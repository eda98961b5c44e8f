/** snippets/genkan-tls.conf: the TLS settings. */
import type { SiteSpec } from './site-spec.ts';

export const tls = ({ certificate, http3 }: SiteSpec): string => `\
# TLS, as Mozilla's "intermediate" recommends it (version 5.8): everything since about 2015. nginx 1.22 or later.
# https://ssl-config.mozilla.org and https://nginx.org/en/docs/http/ngx_http_ssl_module.html
# (!) Of several sites on one address the first, or the default server, decides protocols and ciphers for all.
ssl_certificate     ${certificate?.chain};
ssl_certificate_key ${certificate?.key};

# Before nginx 1.27.3 the default has TLS 1.0 and 1.1 as well.
ssl_protocols TLSv1.2 TLSv1.3;

# For TLS 1.2: forward secret and authenticated only; default HIGH:!aNULL:!MD5. None of them is DHE, so there is no ssl_dhparam.
ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;

# The client knows which of them its processor is quick at. It is the default, written down because the list above counts on it.
ssl_prefer_server_ciphers off;

# There is no ssl_ecdh_curve: OpenSSL's own list is as good, and the newer one has X25519MLKEM768, which an older one would
# refuse to start with.

# Sessions are taken up again from nginx's memory; default 5 minutes, and in no memory that workers share.
ssl_session_timeout 1d;
ssl_session_cache shared:genkan_tls:10m;

# (!) Off; default on. The key of tickets would live as long as nginx does, and whoever gets it can read what was recorded.
ssl_session_tickets off;
${http3 ? quic : ''}`;

const quic = `
# HTTP/3 sends nothing long before it knows that the client's address is true; default off.
# https://nginx.org/en/docs/http/ngx_http_v3_module.html
quic_retry on;
`;
