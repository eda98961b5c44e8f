/** How a request arrives here, told to whoever made it: it shows what a front end changes on the way, and nothing about anyone else. */
import type { FastifyInstance, FastifyRequest } from 'fastify';
import { protocolVersion, type Seen } from '../protocol/messages.ts';
import { originRequestOf } from './allowed-origins.ts';
import { listenerOf } from './request-log.ts';

/** Below a room, because that is what every front end passes on; the room is not looked at, and need not be there. */
export const requestEcho = async (app: FastifyInstance): Promise<void> => {
  app.get('/rooms/:room/seen', (request, reply) => reply.header('cache-control', 'no-store').send(seenAs(request)));
};

const seenAs = (request: FastifyRequest): Seen => {
  const { headers, ip, protocol, raw } = request;
  const { origin = null, host, port } = originRequestOf(request);
  const by = listenerOf(raw);
  return {
    protocol: protocolVersion,
    by,
    // On a unix socket there is none unless the front end tells.
    client: ip || null,
    // Listeners leave the header only when they believe who sent it.
    told: by === 'http' || headers['x-forwarded-for'] !== undefined,
    scheme: protocol,
    host,
    ...(port === undefined ? {} : { port }),
    prefix: String(headers['x-forwarded-prefix'] ?? ''),
    origin,
  };
};
