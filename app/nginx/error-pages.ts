/** snippets/genkan-down.conf: the error pages for 429, 502, 503 and 504. */
import { accessLog } from './site.ts';
import type { SiteSpec } from './site-spec.ts';

export const down = (spec: SiteSpec): string => `\
# Short error texts instead of nginx's pages: app unreachable (502) or timed out (504), site closed for maintenance (503), rate
# limit exceeded (429). They are referenced in snippets/genkan-app.conf. Error responses of the app itself pass unchanged, because
# uwsgi_intercept_errors and proxy_intercept_errors are off by default.
# nginx 1.22 or later. https://nginx.org/en/docs/http/ngx_http_core_module.html#error_page
${errorPage(spec, 'genkan_down', 'Genkan is temporarily unavailable. Please try again in a few seconds.', 5)}\
${errorPage(spec, 'genkan_closed', 'Genkan is closed for maintenance. Please try again in a few minutes.', 60)}\
${errorPage(spec, 'genkan_busy', 'Too many requests from your network. Please try again in a few seconds.', 5)}`;

const errorPage = (spec: SiteSpec, name: string, text: string, retryAfter: number): string => `
location @${name} {
    default_type text/plain;
    add_header Retry-After ${retryAfter} always;
    add_header Cache-Control no-store always;
    include snippets/genkan-headers.conf;
${accessLog(spec)}    # The status code of the error is kept. https://nginx.org/en/docs/http/ngx_http_rewrite_module.html#return
    return 200 "${text}\\n";
}
`;
