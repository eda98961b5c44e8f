/** snippets/genkan-maintenance.conf: a switch that closes the site to new visitors. */
import { pattern, type SiteSpec } from './site-spec.ts';

export const maintenance = ({ base, maintenance: file }: SiteSpec): string => `\
# Maintenance mode. While this file exists, new visitors get an error page (503, with Retry-After):
#     sudo touch ${file}      no reload is needed
#     sudo rm ${file}
# Calls in progress continue: open WebSockets are not affected, and requests of connected peers and for files pass.
# (!) nginx's workers need access to the file's directory.
# nginx 1.22 or later, in the http block; snippets/genkan-app.conf tests the file. By default nginx has no maintenance mode.
# https://nginx.org/en/docs/http/ngx_http_rewrite_module.html#if
map $uri $genkan_closed {
    default ${file};
    # Requests of connected peers pass: /dev/null is not a regular file.
    "~^${pattern(base)}rooms/[^/]+/(?:events|messages|leave)/?$" /dev/null;
}
`;

/** The lines for the app's location. */
export const closable = `\
    # Maintenance mode, see snippets/genkan-maintenance.conf.
    if (-f $genkan_closed) {
        return 503;
    }
`;
