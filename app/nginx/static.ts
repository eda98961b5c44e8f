/** snippets/genkan-static.conf: serves the build's files from disk. */
import { logged } from './log.ts';
import type { SiteSpec } from './site-spec.ts';

export const fromDisk = (spec: SiteSpec): string => `\
# ${spec.base}js comes from disk and never reaches the app: nginx is quicker at it, and a bundle that is missing is a plain 404 instead of a
# page that the browser would take for a script.
# nginx 1.22 or later, built with gzip_static, as Debian's and the official image's are.
location ^~ ${spec.base}js/ {
    # Where the build put its files: dist/public of the app, below which js/ lies. This is the only path to adapt.
${rootDirective(spec)}
    try_files $uri =404;

    # Our own list: mime.types of older versions has application/javascript for .js and nothing for .mjs and .map.
    # (!) It replaces the list of the http block here. https://nginx.org/en/docs/http/ngx_http_core_module.html#types
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

    # The build leaves a .gz beside each file: sent as it is to who can read it. Default off.
    # https://nginx.org/en/docs/http/ngx_http_gzip_static_module.html
    gzip_static on;
    gzip_vary on;
${spec.brotli ? brotli : ''}
    # Which files there are is looked up anew every 30 seconds; default off, for every request. What is missing is always looked up,
    # so that a new build is there at once. https://nginx.org/en/docs/http/ngx_http_core_module.html#open_file_cache
    open_file_cache max=200 inactive=60s;
    open_file_cache_valid 30s;

    # A line only for what went wrong: the page that names a file has one.
    ${logged(spec, ' if=$genkan_failed')}

    # Says nothing of a 404, because there is no \`always\`. By default nginx says nothing and browsers guess.
    add_header Cache-Control $genkan_cache;

    # Pages of other sites may import the library, /js/genkan.js; there is nothing here that is not for everyone. By default browsers
    # refuse a module of another site. https://developer.mozilla.org/en-US/docs/Web/HTTP/Guides/CORS
    add_header Access-Control-Allow-Origin *;
    include snippets/genkan-headers.conf;

    # Pictures are packed already: there is no .gz to look for each time. All else is as above, but for try_files, which is not
    # passed on, and which says nothing of a file that is missing.
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
    # The same for .br, which is smaller; a module of its own. https://github.com/google/ngx_brotli
    brotli_static on;
`;
