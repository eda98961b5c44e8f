/** /healthz and /readyz: for the front end and the supervisor, never for the public. */
import type { FastifyInstance } from 'fastify';

export type Operations = {
  /** False once new visitors should go elsewhere. */
  ready: () => boolean;
  count: () => { rooms: number; peers: number };
};

export const operations = async (app: FastifyInstance, { ready, count }: Operations): Promise<void> => {
  app.get('/healthz', () => ({ status: 'ok', ...count() }));
  app.get('/readyz', (_request, reply) =>
    ready() ? reply.send({ status: 'ready' }) : reply.code(503).send({ status: 'draining' }),
  );
};
