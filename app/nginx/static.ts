/** snippets/genkan-static.conf: serves the build's files from disk. */
import { logged } from './log.ts';
import type { SiteSpec } from './site-spec.ts';

export const fromDisk = (spec: SiteSpec): string => `\
# ${spec.base}js is served from disk and never by the app: it is faster, and a missing bundle is a plain 404 instead of an HTML page that
# the browser would try to run as a script.
# nginx 1.22 or later, built with gzip_static, as in Debian's packages and the official image.
location ^~ ${spec.base}js/ {
    # The build's dist/public, which contains js/. This is the only path to adapt.
${rootDirective(spec)}
    try_files $uri =404;

    # Own types: mime.types of older versions has application/javascript for .js and no entry for .mjs and .map.
    # (!) They replace the types of the http block here. https://nginx.org/en/docs/http/ngx_http_core_module.html#types
    types {
        text/javascript  js mjs;
        text/css         css;
        application/json json map;
        application/wasm wasm;
        image/svg+xml    svg;
        image/png        png;
        application/manifest+json webmanifest;
        font/woff2       woff2;
        text/plain       ts;
    }

    # Send the .gz copy that the build creates for each file to clients that accept gzip. Default off.
    # https://nginx.org/en/docs/http/ngx_http_gzip_static_module.html
    gzip_static on;
    gzip_vary on;
${spec.brotli ? brotli : ''}
    # Cache file lookups for 30 seconds; default off, a lookup per request. Missing files are not cached, so that a new build is
    # served at once. https://nginx.org/en/docs/http/ngx_http_core_module.html#open_file_cache
    open_file_cache max=200 inactive=60s;
    open_file_cache_valid 30s;

    # Memory for a response that the client does not read, with TLS; default 2 32k.
    # https://nginx.org/en/docs/http/ngx_http_core_module.html#output_buffers
    output_buffers 1 16k;

    # Log only failed requests: the page that uses these files is logged already.
    ${logged(spec, ' if=$genkan_failed')}

    # Not sent with a 404, because there is no \`always\`. By default nginx sends no Cache-Control and browsers guess.
    add_header Cache-Control $genkan_cache;

    # Other sites may import the library, /js/genkan.js; all files here are public. By default browsers block modules from another
    # origin. https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/CORS
    add_header Access-Control-Allow-Origin *;
    include snippets/genkan-headers.conf;

    # Images are compressed already and have no .gz copy. Everything except try_files is inherited; without try_files nginx would log
    # missing files as errors.
    location ~ \\.png$ {
        gzip_static off;${spec.brotli ? '\n        brotli_static off;' : ''}
        log_not_found off;
    }
}
`;

const rootDirective = ({ base, root }: SiteSpec): string =>
  base === '/'
    ? `    # https://nginx.org/en/docs/http/ngx_http_core_module.html#root\n    root ${root};`
    : `    # https://nginx.org/en/docs/http/ngx_http_core_module.html#alias\n    alias ${root}/js/;`;

const brotli = `
    # The same for .br, which is smaller; needs an extra module. https://github.com/google/ngx_brotli
    brotli_static on;
`;
