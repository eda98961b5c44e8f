/** Peers that the doctor controls: over a WebSocket or by plain HTTP requests. */
import { z } from 'zod';
import { RefusedError } from '../conform/inbox.ts';
import { acceptedJson, bearer, type HttpResponse, PeerSocket } from '../conform/peer-client.ts';
import { errors } from '../protocol/errors.ts';
import { type Joined, joined, waiting } from '../protocol/messages.ts';
import { ask, type Site, tlsOptions } from './target.ts';

/** The fields of a join, as a visitor of the site would send them. */
const joinFields = ({ token }: Site) => ({ name: 'genkan doctor', ...(token === undefined ? {} : { token }) });

/** Opens a WebSocket as a page of the site would. @throws if there is no response, or one that is not HTTP */
export const openSocket = (site: Site, room: string): Promise<PeerSocket | HttpResponse> => {
  const url = new URL(`rooms/${room}/ws`, site.url);
  url.protocol = url.protocol.replace('http', 'ws');
  const options = { origin: site.url.origin, handshakeTimeout: site.timeout, ...tlsOptions(site) };
  return PeerSocket.open(url, undefined, options);
};

/** Joins over a WebSocket; undefined if `joined` does not arrive in time. @throws RefusedError */
export const joinBy = async (site: Site, socket: PeerSocket): Promise<Joined | undefined> => {
  socket.send({ type: 'join', ...joinFields(site) });
  return socket.receive('joined', site.timeout);
};

/** A peer that has joined by plain HTTP; `path` is that of its room, relative to the site. */
export type HttpVisitor = Joined & { path: string };

const joinResponse = z.discriminatedUnion('type', [joined, waiting]);

/** Joins by plain HTTP. @throws RefusedError */
export const visit = async (site: Site, room: string): Promise<HttpVisitor> => {
  const path = `rooms/${room}`;
  const response = joinResponse.parse(await post(site, `${path}/join`, joinFields(site)));
  if (response.type === 'waiting') throw new RefusedError('waiting', errors.waiting.message);
  return { ...response, path };
};

const messagesResponse = z.object({ messages: z.array(z.looseObject({ type: z.string() })) });

/** Sends one message. @throws RefusedError */
export const speak = async (site: Site, { path, session }: HttpVisitor, message: object): Promise<void> => {
  const { messages } = messagesResponse.parse(await post(site, `${path}/messages`, message, session));
  const [first] = messages;
  if (first?.type === 'error') throw new RefusedError(String(first.code), String(first.message));
};

export const leave = async (site: Site, { path, session }: HttpVisitor): Promise<void> => {
  await post(site, `${path}/leave`, {}, session);
};

const post = async (site: Site, path: string, body: object, session?: string): Promise<unknown> => {
  const headers: Record<string, string> = session === undefined ? {} : bearer(session);
  return acceptedJson(await ask(site, path, { method: 'POST', headers, body: JSON.stringify(body) }));
};
