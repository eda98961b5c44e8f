/** The page at / and /rooms/:room, and its scripts under /js. */
import { readFileSync, type Stats } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

export type Pages = {
  /** Directory with index.html and js/, built by Vite. */
  publicDir: string;
  /** Further directories, each `/prefix=directory`. */
  staticMaps: string[];
};

export const pages = async (app: FastifyInstance, { publicDir, staticMaps }: Pages): Promise<void> => {
  const html = readFileSync(join(publicDir, 'index.html'), 'utf8');
  await app.register(fastifyStatic, {
    root: join(publicDir, 'js'),
    prefix: '/js/',
    index: false,
    dotfiles: 'ignore',
    preCompressed: true,
    cacheControl: false,
    setHeaders(response, path) {
      response.header('cache-control', hashed.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache');
      // Pages of other origins may import the library.
      response.header('access-control-allow-origin', '*');
      if (declarations.test(path)) response.header('content-type', 'text/plain; charset=utf-8');
    },
  });
  for (const map of staticMaps) {
    const [prefix = '', directory = ''] = map.split(/=(.*)/s);
    await app.register((scope) => serveDirectory(scope, prefix, resolve(directory)));
  }
  for (const url of ['/', '/rooms/:room'])
    app.get(url, ({ headers }, reply) =>
      reply
        .header('cache-control', 'no-cache')
        .type('text/html; charset=utf-8')
        .send(withBase(html, headers['x-forwarded-prefix'])),
    );
};

/**
 * Serves an administrator's directory, without dotfiles and without symbolic links that lead out of the directory: those were
 * hardly meant to be published.
 */
const serveDirectory = async (app: FastifyInstance, prefix: string, root: string): Promise<void> => {
  const { errorHandler } = app;
  app.setErrorHandler((error, request, reply) =>
    error instanceof NotPublished ? reply.callNotFound() : errorHandler(error, request, reply),
  );
  await app.register(fastifyStatic, {
    ...{ root, prefix, decorateReply: false, preCompressed: true, dotfiles: 'ignore' },
    // Called for the file actually sent, which may be an index or a compressed copy.
    onFile: async (path: string, stats: Stats) => {
      const [file, top] = await Promise.all([realpath(path), realpath(root)]);
      if (!stats.isFile() || !file.startsWith(top.endsWith(sep) ? top : top + sep)) throw new NotPublished();
    },
  });
};
class NotPublished extends Error {}

/** Files with a content hash in their name, which never go stale. The library has a fixed name. */
const hashed = /-[\w-]{8}\.[a-z0-9]+(\.(br|gz))?$/;
const declarations = /\.d\.ts(\.(br|gz))?$/;

/** Sets the base URL of the page to the front end's path prefix. The listeners have validated the prefix. */
const withBase = (html: string, prefix: string | string[] | undefined): string =>
  typeof prefix === 'string'
    ? html.replace('<base href="/"', `<base href="${prefix.replaceAll('&', '&amp;')}/"`)
    : html;
