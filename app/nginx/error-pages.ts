/** snippets/genkan-down.conf: the error pages for 429, 502, 503 and 504. */

export const down = (): string => `\
# One plain sentence instead of nginx's page when the app is not there (502) or is silent (504), when the operator has closed the
# site (503), and when an address asks for too much (429). snippets/genkan-app.conf names them. Answers that come from the app
# itself are not touched, because uwsgi_intercept_errors and proxy_intercept_errors are off by default.
# nginx 1.22 or later. https://nginx.org/en/docs/http/ngx_http_core_module.html#error_page
${errorPage('genkan_down', 'Genkan is not there at the moment. Please try again in a few seconds.', 5)}\
${errorPage('genkan_closed', 'Genkan is closed for maintenance. Please come back in some minutes.', 60)}\
${errorPage('genkan_busy', 'Too many people come from your network at once. Please try again in a few seconds.', 5)}`;

const errorPage = (name: string, text: string, retryAfter: number): string => `
location @${name} {
    default_type text/plain;
    add_header Retry-After ${retryAfter} always;
    add_header Cache-Control no-store always;
    include snippets/genkan-headers.conf;
    # The status stays that of the error. https://nginx.org/en/docs/http/ngx_http_rewrite_module.html#return
    return 200 "${text}\\n";
}
`;
