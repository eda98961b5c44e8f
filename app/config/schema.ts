/** Every setting once: its name, its form, its default and what it does. Flags, environment and help come from here. */
import { z } from 'zod';
import { parseAddress } from './address.ts';

const address = z.string().transform((text, context) => {
  const parsed = parseAddress(text);
  if (parsed) return parsed;
  context.addIssue(`"${text}" is not an address; write host:port, :port, /path, unix:/path or fd:N`);
  return z.NEVER;
});

const network = z.union([z.ipv4(), z.ipv6(), z.cidrv4(), z.cidrv6()], {
  error: 'write an IP address or a network such as 172.20.0.0/24',
});
const origin = z.string().regex(/^https?:\/\/[^\s/]+$/, 'write an origin such as https://meet.example, without a path');

/** A whole number; text from a flag or the environment is read as one. */
const whole = (min: number, max: number) =>
  z
    .union([z.number(), z.string().regex(/^\d+$/).transform(Number)], { error: 'write a whole number' })
    .pipe(z.int().min(min).max(max));
const list = <T extends z.ZodType>(item: T) => z.array(item).default([]);
const octalMode = z.string().regex(/^[0-7]{3,4}$/, 'write an octal mode such as 660');

export const schema = z.object({
  http: list(address).describe(
    'listen for browsers: serves everything, believes no forwarding header; :port = every interface',
  ),
  'http-socket': list(address).describe(
    'listen for a front end by HTTP and believe what it says of the client; :port = loopback',
  ),
  socket: list(address).describe('listen for a front end by the uwsgi protocol; :port = loopback'),
  'allow-from': list(network).describe(
    'networks, besides loopback, whose word on --socket and --http-socket is believed',
  ),
  'chmod-socket': octalMode.default('660').describe('mode of unix sockets, octal'),
  'allowed-origins': list(origin).describe("origins, besides the server's own, whose pages may use the rooms"),
  'stun-url': list(z.string().regex(/^stuns?:\S+$/, 'write stun:host:port')).describe(
    'STUN servers told to the browsers',
  ),

  'max-rooms': whole(1, 10_000_000).default(10_000).describe('rooms in all'),
  'max-peers': whole(2, 1000).default(16).describe('peers in a room, those who are away included'),
  'max-message-bytes': whole(1024, 16_777_216).default(65_536).describe('bytes of one message'),
  'max-unsent-bytes': whole(65_536, 1_073_741_824)
    .default(1_048_576)
    .describe('bytes that may wait for a peer that does not read'),
  'message-rate': whole(1, 1_000_000).default(100).describe('messages per second a session may send in the long run'),
  'message-burst': whole(1, 10_000_000).default(400).describe('messages a session may send at once'),
  'log-events': whole(16, 1_000_000).default(1024).describe('events a room keeps for those who come back'),
  'log-bytes': whole(4096, 1_073_741_824).default(4_194_304).describe('bytes of events a room keeps'),

  'join-timeout': whole(1, 3600).default(10).describe('seconds a connection may take to join'),
  grace: whole(1, 86_400).default(30).describe('seconds a lost connection has to come back before the peer has left'),
  'poll-wait': whole(1, 3600).default(25).describe('seconds a request for events may wait'),
  'poll-grace': whole(1, 3600).default(10).describe('seconds between such requests before the peer counts as away'),
  'ping-interval': whole(1, 3600).default(25).describe('seconds between WebSocket pings, and for the pong to come'),
  'ack-delay': whole(0, 1000).default(10).describe('milliseconds over which acknowledgements are gathered'),

  'buffer-size': whole(4096, 65_535).default(65_535).describe('bytes of request head (uwsgi: of the variables)'),
  'limit-post': whole(1024, 1_073_741_824).default(1_048_576).describe('bytes of a request body'),
  'header-timeout': whole(1, 3600).default(10).describe('seconds for a request head to arrive'),
  'body-timeout': whole(1, 3600).default(30).describe('seconds a request body may stand still'),
  'drain-timeout': whole(0, 3600).default(10).describe('seconds requests have to end after a stop was asked for'),
  'log-level': z
    .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
    .default('info')
    .describe('least level of log lines'),
});

export type Settings = z.infer<typeof schema>;
export type SettingName = keyof Settings;
export const settingNames = Object.keys(schema.shape) as SettingName[];

export const isList = (name: SettingName): boolean =>
  schema.shape[name] instanceof z.ZodDefault && schema.shape[name].def.innerType instanceof z.ZodArray;
