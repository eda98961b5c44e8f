/** nginx.conf: the main configuration file, for an nginx that serves only Genkan. */
import type { SiteSpec } from './site-spec.ts';

export const main = ({ brotli, app, workers }: SiteSpec): string => `\
# Main configuration for a machine or container that serves only Genkan.
# If nginx serves other sites too, keep your own nginx.conf and copy only conf.d/ and snippets/.
# nginx 1.22 or later. Directives are documented at https://nginx.org/en/docs/ngx_core_module.html unless noted otherwise.

# No \`user\` directive: the default is the user nginx was built with (nginx in the official image, www-data on Debian).
${brotli ? loadBrotli : ''}
${processes(workers)}
# A WebSocket takes two connections, one to the browser and one to the app: enough for about ${roughly(workers.connections / 2)} peers per worker.
# (!) Any client can occupy a connection, for client_header_timeout, before its address is limited: limit connections in the firewall.
# The defaults are 512 connections and the system's limit of open files.
worker_rlimit_nofile ${2 * workers.connections};
events {
    worker_connections ${workers.connections};
}

# (!) After a reload old workers stay until their last WebSocket closes, by default without a time limit. After this time nginx
# closes it; the client reconnects and resumes its session, and media between browsers is not interrupted. Longer than the app's
# drain (--drain-timeout ${app.drain}), so that clients asked to reconnect are not cut off first.
worker_shutdown_timeout ${app.drain + 20}s;

error_log /var/log/nginx/error.log warn;
pid /run/nginx.pid;

http {
    # Absolute path: mime.types is part of nginx, and relative includes are resolved from the directory of this file.
    include /etc/nginx/mime.types;
    default_type application/octet-stream;

    # Send files without copying them through nginx's memory; default off.
    # https://nginx.org/en/docs/http/ngx_http_core_module.html#sendfile
    sendfile on;

    # A request head must be complete after 10 s; default 60s. Until then it takes a connection, and counts for no limit.
    # https://nginx.org/en/docs/http/ngx_http_core_module.html#client_header_timeout
    client_header_timeout 10s;

    # A head may have 16k, a line of it 8k; default 4 8k. Genkan needs less than 2k: tokens are in bodies, and it sets no cookies. The
    # rest is for cookies of other sites of your domain.
    large_client_header_buffers 2 8k;

    include conf.d/*.conf;
}
`;

const processes = ({ processes: count }: SiteSpec['workers']): string =>
  count === undefined
    ? `\
# One worker per CPU core; default 1.
worker_processes auto;
`
    : `\
# By default 1.
worker_processes ${count};
`;

/** To the nearest hundred, or for small numbers exactly. */
const roughly = (count: number): number => (count < 1000 ? Math.floor(count) : Math.floor(count / 100) * 100);

const loadBrotli = `
# The module has its own package: libnginx-mod-http-brotli-static on Debian, nginx-module-brotli from nginx.org.
load_module modules/ngx_http_brotli_static_module.so;
`;
