/** snippets/genkan-private.conf: hides the operator's endpoints. */
import type { SiteSpec } from './site-spec.ts';

export const operatorPaths = ['healthz', 'readyz', 'metrics', 'stats'] as const;

export const hidden = ({ base }: SiteSpec): string => `\
# Health, metrics and statistics are not public: 404. By default they would be passed to the app like any other path. Query them on
# the app's own HTTP listener. To give monitoring access through nginx, add \`location = ${base}metrics\` with allow and deny: an exact
# match takes precedence. nginx matches the decoded, normalised path, so /%68ealthz and //healthz do not bypass this.
# nginx 1.22 or later. https://nginx.org/en/docs/http/ngx_http_core_module.html#location
${operatorPaths.map((path) => hide(`${base}${path}`)).join('')}`;

const hide = (path: string): string => `
location ^~ ${path} {
    access_log off;
    include snippets/genkan-headers.conf;
    return 404;
}
`;
