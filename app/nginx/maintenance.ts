/** snippets/genkan-maintenance.conf: a switch that closes the site to new visitors. */
import { pattern, type SiteSpec } from './site-spec.ts';

export const maintenance = ({ base, maintenance: file }: SiteSpec): string => `\
# A switch for the operator. As long as this file exists whoever comes reads one sentence (503, with Retry-After):
#     sudo touch ${file}      no reload is needed
#     sudo rm ${file}
# Who is inside stays: a WebSocket that is open is no request any more, and what peers say by plain HTTP passes; so do files.
# (!) nginx's workers must be able to see the file: not below a directory that is closed to them.
# nginx 1.22 or later, in the http block; snippets/genkan-app.conf asks. By default there is no such thing.
# https://nginx.org/en/docs/http/ngx_http_rewrite_module.html#if
map $uri $genkan_closed {
    default ${file};
    # Of peers; nothing that is a file.
    "~^${pattern(base)}rooms/[^/]+/(?:events|messages|leave)/?$" /dev/null;
}
`;

/** The lines for the app's location. */
export const closable = `\
    # The operator's switch, see snippets/genkan-maintenance.conf.
    if (-f $genkan_closed) {
        return 503;
    }
`;
