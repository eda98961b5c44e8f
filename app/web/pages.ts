/** The page at / and /rooms/:room, and its scripts under /js. */
import { readFileSync, type Stats } from 'node:fs';
import { realpath } from 'node:fs/promises';
import { join, resolve, sep } from 'node:path';
import fastifyStatic from '@fastify/static';
import type { FastifyInstance } from 'fastify';

export type Pages = {
  /** Directory with index.html and js/, as Vite made them. */
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
    setHeaders(answer, path) {
      answer.header('cache-control', hashed.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache');
      // Pages of other sites may import the library.
      answer.header('access-control-allow-origin', '*');
      if (declarations.test(path)) answer.header('content-type', 'text/plain; charset=utf-8');
    },
  });
  for (const map of staticMaps) {
    const [prefix = '', directory = ''] = map.split(/=(.*)/s);
    await app.register((scope) => directoryAt(scope, prefix, resolve(directory)));
  }
  for (const url of ['/', '/rooms/:room'])
    app.get(url, ({ headers }, reply) =>
      reply
        .header('cache-control', 'no-cache')
        .type('text/html; charset=utf-8')
        .send(below(html, headers['x-forwarded-prefix'])),
    );
};

/**
 * The files of an administrator's directory. What begins with a dot is not for visitors, and links out of the directory lead to
 * files that nobody meant to publish.
 */
const directoryAt = async (app: FastifyInstance, prefix: string, root: string): Promise<void> => {
  const { errorHandler } = app;
  app.setErrorHandler((error, request, reply) =>
    error instanceof NotPublished ? reply.callNotFound() : errorHandler(error, request, reply),
  );
  await app.register(fastifyStatic, {
    ...{ root, prefix, decorateReply: false, preCompressed: true, dotfiles: 'ignore' },
    // Asked for the very file that is about to be sent, an index or a packed copy as well.
    onFile: async (path: string, stats: Stats) => {
      const [file, top] = await Promise.all([realpath(path), realpath(root)]);
      if (!stats.isFile() || !file.startsWith(top.endsWith(sep) ? top : top + sep)) throw new NotPublished();
    },
  });
};
class NotPublished extends Error {}

/** The build writes the hash of a file's content into its name, so that a copy never goes stale; but for the library, which has one name. */
const hashed = /-[\w-]{8}\.[a-z0-9]+(\.(br|gz))?$/;
const declarations = /\.d\.ts(\.(br|gz))?$/;

/** The page below a front end's prefix: every address in it is relative to its base. Listeners leave only prefixes that are paths. */
const below = (html: string, prefix: string | string[] | undefined): string =>
  typeof prefix === 'string'
    ? html.replace('<base href="/"', `<base href="${prefix.replaceAll('&', '&amp;')}/"`)
    : html;
