/** snippets/genkan-headers.conf: the security headers. */
import { securityHeaders } from '../web/security-headers.ts';
import type { SiteSpec } from './site-spec.ts';

export const headers = ({ hsts, http3, addresses }: SiteSpec): string => `\
# Security headers. nginx sends them with every response, including files and error pages, and drops the app's copies, so that none
# appears twice. (Without a front end the app sends the same set.)
# (!) An add_header in a location disables all inherited ones: include this file in every location.
# nginx 1.22 or later. https://nginx.org/en/docs/http/ngx_http_headers_module.html#add_header

${Object.entries(securityHeaders)
  .map(
    ([name, value]) =>
      `${comments[name as keyof typeof securityHeaders]}add_header ${titleCase(name)} "${value}" always;\n`,
  )
  .join('')}${hsts ? hstsHeader : ''}${http3 ? altSvc(addresses) : ''}
# https://nginx.org/en/docs/http/ngx_http_uwsgi_module.html#uwsgi_hide_header
${hideDirectives('uwsgi_hide_header')}

# https://nginx.org/en/docs/http/ngx_http_proxy_module.html#proxy_hide_header
${hideDirectives('proxy_hide_header')}
`;

const titleCase = (name: string): string => name.replaceAll(/(?<=^|-)[a-z]/g, (letter) => letter.toUpperCase());

const hideDirectives = (directive: string): string =>
  Object.keys(securityHeaders)
    .map((name) => `${directive} ${titleCase(name)};`)
    .join('\n');

const comments: Record<keyof typeof securityHeaders, string> = {
  'content-security-policy': `\
# Scripts, styles and connections from this site only; 'self' includes its WebSockets. blob: is for content created by the page.
# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Content-Security-Policy
`,
  'permissions-policy': `
# (!) Many ready-made header sets disable camera and microphone here; calls need them.
# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Permissions-Policy
`,
  'referrer-policy': `
# A room's URL grants access to it, so it must not leak to other sites.
`,
  'x-content-type-options': '',
  'cross-origin-opener-policy': '',
};

const hstsHeader = `
# (!) For two years browsers will refuse plain HTTP for this name, even if the certificate becomes invalid.
# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Strict-Transport-Security
add_header Strict-Transport-Security "max-age=63072000" always;
`;

/** Advertises the port of the first listen address. */
const altSvc = (addresses: readonly string[]): string => `
# Advertise HTTP/3, for one day only: browsers stop trying it soon after it is disabled or a firewall drops UDP.
# https://developer.mozilla.org/en-US/docs/Web/HTTP/Reference/Headers/Alt-Svc
add_header Alt-Svc 'h3=":${addresses[0]?.split(':').at(-1)}"; ma=86400' always;
`;
