/** nginx.conf: the main configuration file, for an nginx that serves only Genkan. */
import type { SiteSpec } from './site-spec.ts';

export const main = ({ brotli, app }: SiteSpec): string => `\
# The whole of nginx for a machine or container that serves nothing but Genkan.
# Beside other sites you do not need this file: keep your own nginx.conf and copy conf.d/ and snippets/.
# nginx 1.22 or later. Every directive here: https://nginx.org/en/docs/ngx_core_module.html unless said otherwise.

# There is no \`user\` line: the default is the one nginx was built with (nginx in the official image, www-data on Debian).
${brotli ? loadBrotli : ''}
# As many workers as cores; the default is 1.
worker_processes auto;

# A WebSocket takes two connections, one to the browser and one to the app: this carries some 4000 peers a worker.
# The default is 512 connections, and as many files as the system allows.
worker_rlimit_nofile 16384;
events {
    worker_connections 8192;
}

# (!) After a reload old workers live as long as their last WebSocket, by default for ever. After this time nginx cuts it;
# the client comes back by itself and resumes, and media between browsers does not notice. It is longer than the app's
# drain (--drain-timeout ${app.drain}), so that who is told to come back is not cut before.
worker_shutdown_timeout ${app.drain + 20}s;

error_log /var/log/nginx/error.log warn;
pid /run/nginx.pid;

http {
    # Absolute, because includes are looked up beside this file, and mime.types comes with nginx.
    include /etc/nginx/mime.types;
    default_type application/octet-stream;

    # Files go out without a copy through nginx's memory; default off.
    # https://nginx.org/en/docs/http/ngx_http_core_module.html#sendfile
    sendfile on;

    include conf.d/*.conf;
}
`;

const loadBrotli = `
# A module of its own package: libnginx-mod-http-brotli-static on Debian, nginx-module-brotli of nginx.org.
load_module modules/ngx_http_brotli_static_module.so;
`;
