/** snippets/genkan-tls.conf: the TLS settings. */
import type { SiteSpec } from './site-spec.ts';

export const tls = ({ certificate, http3 }: SiteSpec): string => `\
# TLS settings of Mozilla's "intermediate" profile (version 5.8), for clients since about 2015. nginx 1.22 or later.
# https://ssl-config.mozilla.org and https://nginx.org/en/docs/http/ngx_http_ssl_module.html
# (!) If several sites share an address, the default server (or the first) determines protocols and ciphers for all.
ssl_certificate     ${certificate?.chain};
ssl_certificate_key ${certificate?.key};

# Before nginx 1.27.3 the default includes TLS 1.0 and 1.1.
ssl_protocols TLSv1.2 TLSv1.3;

# For TLS 1.2: only AEAD ciphers with forward secrecy; default HIGH:!aNULL:!MD5. No DHE, so no ssl_dhparam is needed.
ssl_ciphers ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305;

# The client chooses the cipher that its CPU runs fastest. This is the default; stated because the list above relies on it.
ssl_prefer_server_ciphers off;

# No ssl_ecdh_curve: OpenSSL's default list is fine. Newer versions include X25519MLKEM768, which older ones reject at start.

# TLS sessions are resumed from a cache that all workers share; default 5 minutes and no shared cache.
ssl_session_timeout 1d;
ssl_session_cache shared:genkan_tls:10m;

# (!) Off; default on. The ticket key would stay the same while nginx runs, and anyone who obtains it can decrypt recorded traffic.
ssl_session_tickets off;

# Requests at the same time in one HTTP/2 connection; default 128. Each takes up to 26 kB while the client does not read the response.
# https://nginx.org/en/docs/http/ngx_http_v2_module.html#http2_max_concurrent_streams
http2_max_concurrent_streams 16;
${http3 ? quic : ''}`;

const quic = `
# HTTP/3: validate the client's address before the handshake, against amplification attacks; default off.
# https://nginx.org/en/docs/http/ngx_http_v3_module.html
quic_retry on;

# The same as for HTTP/2; default 128.
http3_max_concurrent_streams 16;
`;
