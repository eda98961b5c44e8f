/** The page at / and /rooms/:room, and its scripts under /js. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

export const pages = async (app: FastifyInstance, { publicDir }: { publicDir: string }): Promise<void> => {
  const html = readFileSync(join(publicDir, 'index.html'));
  // Names of files under /js change with their content, so a copy never goes stale; the page that names them does.
  await app.register(fastifyStatic, {
    root: join(publicDir, 'js'),
    prefix: '/js/',
    index: false,
    preCompressed: true,
    immutable: true,
    maxAge: '1y',
  });
  for (const url of ['/', '/rooms/:room'])
    app.get(url, (_request, reply) =>
      reply.header('cache-control', 'no-cache').type('text/html; charset=utf-8').send(html),
    );
};
