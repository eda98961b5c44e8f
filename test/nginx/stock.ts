/** The two lines of common guides, `include uwsgi_params; uwsgi_pass …;`, with the file of distributions and of nginx.org. */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { knows } from '../../app/nginx/version.ts';
import type { Installed } from '../setup/nginxes.ts';
import { type Nginx, startNginx } from './nginx.ts';

/** From the package of this nginx; if it is missing there, the machine's own. */
const paramsOf = ({ command }: Installed): string => {
  const own = join(dirname(command), 'uwsgi_params');
  return readFileSync(existsSync(own) ? own : '/etc/nginx/uwsgi_params', 'utf8');
};

export type Stock = Nginx & {
  /** Another port of nginx, which forwards to the first as many proxies do: `Host $host`. */
  outer: number;
};

export type StockSetup = {
  by: Installed;
  /** The address of the app's uwsgi listener. */
  app: string;
  /** Debian's has HTTP_HOST $host for security; nginx.org's does not set it. */
  params: 'distribution' | 'nginx.org';
  certificate?: { chain: string; key: string };
  outer: number;
};

export const startStock = async ({ by, app, params, certificate, outer }: StockSetup): Promise<Stock> => {
  const directory = mkdtempSync(join(tmpdir(), 'genkan-stock-'));
  const file = join(directory, 'uwsgi_params');
  const text = paramsOf(by);
  writeFileSync(file, params === 'distribution' ? text : text.replace(/^uwsgi_param\s+HTTP_HOST\s.*$/m, ''));
  const nginx = await startNginx({
    by,
    app: { kind: 'uwsgi', address: app },
    // Only the http block around the sites.
    words: ['--mode', 'location', '--base', '/unused/'],
    sites: (port) => `
      server {
        ${certificate ? listenSecurely(by, port, certificate) : `listen 127.0.0.1:${port};`}
        location / { include ${file}; uwsgi_pass ${app}; }
      }
      server {
        listen 127.0.0.1:${outer};
        location / {
          proxy_pass http${certificate ? 's' : ''}://127.0.0.1:${port};
          proxy_http_version 1.1;
          proxy_set_header Host $host;
          proxy_set_header Upgrade $http_upgrade;
          proxy_set_header Connection $genkan_connection;
        }
      }`,
  });
  const stop = async (graceful?: boolean) => {
    await nginx.stop(graceful);
    rmSync(directory, { recursive: true });
  };
  return { ...nginx, outer, stop };
};

const listenSecurely = ({ version }: Installed, port: number, { chain, key }: { chain: string; key: string }) => {
  const { http2Directive, quic } = knows(version ?? [0, 0, 0]);
  return `
        listen 127.0.0.1:${port} ssl${http2Directive ? '' : ' http2'};
        ${http2Directive ? 'http2 on;' : ''}
        ${quic ? `listen 127.0.0.1:${port} quic reuseport;` : ''}
        ssl_certificate ${chain};
        ssl_certificate_key ${key};`;
};
