/** Endpoints for operators: liveness, readiness, statistics and metrics. nginx hides all of them from the public. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { listenerOf } from './request-log.ts';

export type Operations = {
  /** False once new clients should go elsewhere. */
  ready: () => boolean;
  /** Whether the room store is available. */
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

/** With --http there is no nginx to hide these endpoints, so they answer 404. */
const isPublic = ({ raw }: FastifyRequest): boolean => listenerOf(raw) === 'http';
