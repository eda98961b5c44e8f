/** The zod schemas of requests and answers of plain HTTP that are no messages. (!) Docstrings of exported schemas are part of the documents. */
import { z } from 'zod';
import { access, passcodeText, peerName, protocolVersion, serverMessage } from './messages.ts';

/** The body of `POST …/create`: who may join the room, and the passcode that peers must send in `join`. */
export const roomOptions = z.object({ access: access.optional(), passcode: passcodeText.optional() });

/**
 * The response to `POST …/create`. `session`: joins the room as host. `memory`: seconds for which the room is kept for this host while nobody
 * is in it.
 */
export const created = z.object({ session: z.string(), memory: z.int().min(1) });

/** The response to `GET …/events`: the events after the requested number. `seq` is the `after` of the next request. */
export const eventsAnswer = z.object({ messages: z.array(serverMessage), seq: z.int().min(0) });

/**
 * The response to `GET …/seen`: how the request arrived. `by`: the kind of listener. `client`: the client address; null: unknown. `told`:
 * whether a front end reported that address, or there is no front end; false: it is that of the front end. `scheme`, `host`: of the URL
 * that the client requested, as far as known. `port`: that of the front end, if it reports one that is not the default of the scheme.
 * `prefix`: the path before the app, `/meet` or empty. `origin`: the header `Origin`.
 */
export const seen = z.object({
  protocol: z.literal(protocolVersion),
  by: z.enum(['http', 'http-socket', 'socket']),
  client: z.string().nullable(),
  told: z.boolean(),
  scheme: z.enum(['http', 'https']),
  host: z.string(),
  port: z.int().min(1).max(65_535).optional(),
  prefix: z.string(),
  origin: z.string().nullable(),
});

/** The response to `GET …/inside`: who is in the room. `peers`: how many; `names`: of those who gave one. Empty if not revealed. */
export const inside = z.object({ peers: z.int().min(0).optional(), names: z.array(peerName).optional() });

export type RoomOptions = z.infer<typeof roomOptions>;
export type Created = z.infer<typeof created>;
export type Seen = z.infer<typeof seen>;
export type Inside = z.infer<typeof inside>;
