/** A small nginx for one test, in front of any listeners; the shipped configuration is tested in test/nginx. */

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type IncomingMessage, type RequestOptions, request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { freePort } from '../../setup/free-port.ts';
import type { Address } from './client.ts';
import { atEnd, eventually } from './finish.ts';

/** Otherwise nginx would run its worker as "nobody", who may not enter the directory of our socket. */
const runsAsRoot = process.getuid?.() === 0;

/** The variables that nginx sends for every request: the stock uwsgi_params, without unused ones. */
const params = {
  QUERY_STRING: '$query_string',
  REQUEST_METHOD: '$request_method',
  CONTENT_TYPE: '$content_type',
  CONTENT_LENGTH: '$content_length',
  REQUEST_URI: '$request_uri',
  PATH_INFO: '$document_uri',
  SERVER_PROTOCOL: '$server_protocol',
  REQUEST_SCHEME: '$scheme',
  REMOTE_ADDR: '$remote_addr',
  REMOTE_PORT: '$remote_port',
  SERVER_PORT: '$server_port',
  SERVER_NAME: '$server_name',
};

const configuration = (port: number, server: string): string => `
daemon off;
${runsAsRoot ? 'user root;' : ''}
worker_processes 1;
pid nginx.pid;
error_log stderr warn;
events { worker_connections 512; }
http {
  access_log off;
  client_body_temp_path body; uwsgi_temp_path uwsgi; proxy_temp_path proxy; fastcgi_temp_path fastcgi; scgi_temp_path scgi;
  client_max_body_size 64m;
  map $http_upgrade $connection_header { default upgrade; '' ''; }
  server {
    listen 127.0.0.1:${port};
${server}
  }
}
`;

/** The directives of a location with uwsgi_pass; `more` variables follow the usual ones. */
export const uwsgiPass = (upstream: Address, buffering = true, more: Record<string, string> = {}): string => `
${Object.entries({ ...params, ...more })
  .map(([name, value]) => `      uwsgi_param ${name} ${value};`)
  .join('\n')}
      uwsgi_pass ${typeof upstream === 'number' ? `127.0.0.1:${upstream}` : `unix:${upstream}`};
      uwsgi_request_buffering ${buffering ? 'on' : 'off'};
      uwsgi_buffering ${buffering ? 'on' : 'off'};
      uwsgi_read_timeout 20s;
`;

/** The directives of a location with proxy_pass. */
export const proxyPass = (upstream: Address, buffering = true): string => `
      proxy_pass http://${typeof upstream === 'number' ? `127.0.0.1:${upstream}` : `unix:${upstream}:`};
      proxy_http_version 1.1;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_header;
      proxy_set_header Host $http_host;
      proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme;
      proxy_set_header X-Forwarded-Host $http_host;
      proxy_request_buffering ${buffering ? 'on' : 'off'};
      proxy_buffering ${buffering ? 'on' : 'off'};
      proxy_read_timeout 20s;
`;

/** Starts nginx in a directory of its own with this server block, until the test is over; → its port. */
export const startNginx = async (server: string): Promise<number> => {
  const prefix = mkdtempSync(join(tmpdir(), 'nginx-'));
  const port = await freePort();
  writeFileSync(join(prefix, 'nginx.conf'), configuration(port, server));
  const nginx = spawn('nginx', ['-p', prefix, '-c', 'nginx.conf', '-e', 'stderr'], {
    env: { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/usr/local/sbin` },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let complaints = '';
  nginx.stderr.on('data', (text: Buffer) => {
    complaints += text;
  });
  atEnd(async () => {
    await stop(nginx);
    rmSync(prefix, { recursive: true, force: true });
  });
  await eventually(async () => expect(await accepts(port), complaints).toBe(true));
  return port;
};

export type Answer = { status: number; headers: IncomingMessage['headers']; body: Buffer };

const stop = async (child: ChildProcess): Promise<void> => {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const exited = once(child, 'exit');
  child.kill('SIGTERM');
  await exited;
};

const accepts = (port: number): Promise<boolean> =>
  new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('error', () => resolve(false));
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });

/** One request through nginx, with its body in these pieces. */
export const ask = async (
  port: number,
  path: string,
  options: RequestOptions = {},
  body?: Buffer[],
): Promise<Answer> => {
  const outgoing = request({ host: '127.0.0.1', port, path, agent: false, ...options });
  const answered = once(outgoing, 'response');
  for (const chunk of body ?? []) outgoing.write(chunk);
  outgoing.end();
  const [answer]: IncomingMessage[] = await answered;
  if (answer === undefined) throw new Error('no answer');
  const chunks: Buffer[] = await answer.toArray();
  return { status: answer.statusCode ?? 0, headers: answer.headers, body: Buffer.concat(chunks) };
};
