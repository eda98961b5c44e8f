/** snippets/genkan-private.conf: hides the operator's endpoints. */
import type { SiteSpec } from './site-spec.ts';

export const operatorPaths = ['healthz', 'readyz', 'metrics', 'stats'] as const;

export const hidden = ({ base }: SiteSpec): string => `\
# Health, metrics and statistics are for the operator, not for the world: 404, as if they were not there; by default they would go to
# the app like all else. Ask the app itself, on its own HTTP listener. To let your monitoring in by way of nginx, write \`location = ${base}metrics\` with allow and deny: it wins over
# the one here. nginx matches the decoded, normalised path, so that /%68ealthz or //healthz is no way around.
# nginx 1.22 or later. https://nginx.org/en/docs/http/ngx_http_core_module.html#location
${operatorPaths.map((path) => hide(`${base}${path}`)).join('')}`;

const hide = (path: string): string => `
location ^~ ${path} {
    access_log off;
    include snippets/genkan-headers.conf;
    return 404;
}
`;
