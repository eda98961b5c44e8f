/** What operators ask: alive, ready for new visitors, statistics and metrics. nginx keeps all of it from the public. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { listenerOf } from './request-log.ts';

export type Operations = {
  /** False once new visitors should go elsewhere. */
  ready: () => boolean;
  /** Whether rooms can be reached. */
  reachable: () => boolean;
  count: () => { rooms: number; peers: number };
  /** Of this process. */
  readings: {
    stats(): Promise<string>;
    metrics(): Promise<{ type: string; text: string }>;
  };
};

export const operations = async (
  app: FastifyInstance,
  { ready, reachable, count, readings }: Operations,
): Promise<void> => {
  app.get('/healthz', () => ({ status: 'ok', ...count() }));
  app.get('/readyz', (_request, reply) => {
    const status = !ready() ? 'draining' : reachable() ? 'ready' : 'store-unavailable';
    return reply.code(status === 'ready' ? 200 : 503).send({ status });
  });
  app.get('/stats', async (request, reply) =>
    isPublic(request)
      ? reply.callNotFound()
      : reply
          .header('cache-control', 'no-store')
          .type('application/json; charset=utf-8')
          .send(await readings.stats()),
  );
  app.get('/metrics', async (request, reply) => {
    if (isPublic(request)) return reply.callNotFound();
    const { type, text } = await readings.metrics();
    return reply.header('cache-control', 'no-store').type(type).send(text);
  });
};

/** No nginx stands before --http: what it would hide is not there. */
const isPublic = ({ raw }: FastifyRequest): boolean => listenerOf(raw) === 'http';
