/** Echoes to the caller how its request arrived, to show what a front end changes. Reveals nothing about other clients. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import type { Seen } from '../protocol/http-answers.ts';
import { protocolVersion } from '../protocol/messages.ts';
import { originRequestOf } from './allowed-origins.ts';
import { listenerOf } from './request-log.ts';

/** Below /rooms/, which every front end passes on; the room is ignored and need not exist. */
export const requestEcho = async (app: FastifyInstance): Promise<void> => {
  app.get('/rooms/:room/seen', (request, reply) => reply.header('cache-control', 'no-store').send(describe(request)));
};

const describe = (request: FastifyRequest): Seen => {
  const { headers, ip, protocol, raw } = request;
  const { origin = null, host, port } = originRequestOf(request);
  const by = listenerOf(raw);
  return {
    protocol: protocolVersion,
    by,
    // On a unix socket there is no address unless the front end sends one.
    client: ip || null,
    // The listeners keep the header only from a trusted sender.
    told: by === 'http' || headers['x-forwarded-for'] !== undefined,
    scheme: protocol,
    host,
    ...(port === undefined ? {} : { port }),
    prefix: String(headers['x-forwarded-prefix'] ?? ''),
    origin,
  };
};
