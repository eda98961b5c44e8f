/** What somebody would write who only wants it to work: a yardstick for the files of `genkan nginx`. */
import { type Case, type Certificate, host } from '../nginx/modes.ts';
import type { Front, Upstream } from '../nginx/nginx.ts';

/** The same nginx with nothing of ours: without headers, limits, log, and lookups of what is passed on. */
export const bare = (site: (port: number) => string): Omit<Front, 'app'> => ({
  words: ['--mode', 'location', '--base', '/none/'],
  sites: site,
  spoil: (path, text) => {
    if (path === 'nginx.conf') return text.replace('access_log off;', 'access_log off;\n    sendfile on;');
    return path === 'conf.d/example.conf' ? text : '';
  },
});

/** nginx's own example of a static site. */
export const bareRoot = (root: string) => (port: number) =>
  `server { listen 127.0.0.1:${port}; location / { root ${root}; } }`;

/** One location that passes on everything below the mode's path. */
export const barePass =
  (mode: Case, { chain, key }: Pick<Certificate, 'chain' | 'key'>, { kind, address }: Upstream) =>
  (port: number): string => {
    const isTls = mode.scheme === 'https';
    const listen = `listen 127.0.0.1:${port}${isTls ? ' ssl' : ''}`;
    const prefix = mode.base.slice(0, -1);
    return `
      map $http_upgrade $connection_upgrade { default upgrade; '' close; }
      upstream app { server unix:${address}; }
      ${mode.stranger === undefined ? '' : `server { ${listen} default_server; return ${mode.stranger}; }`}
      server {
        ${listen};
        server_name ${host};
        ${isTls ? `ssl_certificate ${chain}; ssl_certificate_key ${key};` : ''}
        location ${mode.base} { ${kind === 'uwsgi' ? byUwsgi(prefix) : byHttp(prefix)} }
      }`;
  };

/** With the file uwsgi_params as nginx brings it. */
const byUwsgi = (prefix: string): string =>
  [
    'uwsgi_pass app',
    ...params.map((param) => `uwsgi_param ${param}`),
    ...(prefix ? [`uwsgi_param SCRIPT_NAME ${prefix}`] : []),
  ]
    .map((line) => `${line};`)
    .join(' ');

const params = [
  'QUERY_STRING $query_string',
  'REQUEST_METHOD $request_method',
  'CONTENT_TYPE $content_type',
  'CONTENT_LENGTH $content_length',
  'REQUEST_URI $request_uri',
  'PATH_INFO $document_uri',
  'DOCUMENT_ROOT $document_root',
  'SERVER_PROTOCOL $server_protocol',
  'REQUEST_SCHEME $scheme',
  'HTTPS $https if_not_empty',
  'REMOTE_ADDR $remote_addr',
  'REMOTE_PORT $remote_port',
  'SERVER_PORT $server_port',
  'SERVER_NAME $server_name',
];

/** As https://nginx.org/en/docs/http/websocket.html has it; the prefix is taken off. */
const byHttp = (prefix: string): string =>
  `proxy_pass http://app${prefix ? '/' : ''}; proxy_http_version 1.1; proxy_set_header Host $http_host;
   proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $connection_upgrade;`;
