/** Settings: limits and timeouts of rooms and their peers. */
import { settingMetadata } from '../setting-metadata.ts';
import { bytes, choice, integer, list, seconds, text } from '../value-types.ts';

export const rooms = {
  'stun-url': list(text(/^stuns?:\S+$/, 'stun:host:port', 'URL')).register(settingMetadata, {
    help: 'STUN servers told to the browsers',
  }),
  'turn-url': list(text(/^turns?:[^\s?]+(\?transport=(udp|tcp))?$/, 'turn:host:port?transport=udp', 'URL')).register(
    settingMetadata,
    {
      help: 'TURN servers told to the browsers, with credentials made from turn-secret',
    },
  ),
  'turn-secret': text(/^\S{16,}(\s+\S{16,})*$/, 'at least 16 characters without spaces', 'SECRET')
    .optional()
    .register(settingMetadata, {
      help: 'secret shared with the TURN server; of several, with spaces or line breaks between, the first signs',
      secret: true,
    }),
  'turn-ttl': seconds(20, 604_800).default(3600).register(settingMetadata, {
    help: 'seconds a TURN credential lives; each peer is given a new one after half of it',
  }),
  'turn-names': integer(1, 100_000).default(2).register(settingMetadata, {
    help: 'user names at the TURN server for all peers of one address (IPv6: one /48); its quota by user holds for each',
  }),
  'max-rooms': integer(1, 10_000_000).default(10_000).register(settingMetadata, { help: 'rooms in all' }),
  'max-peers': integer(2, 1000).default(16).register(settingMetadata, {
    help: 'peers in a room, those who are away included',
  }),
  'room-access': choice('open', 'knock').default('open').register(settingMetadata, {
    help: 'how newcomers come into a room until its hosts say otherwise: at once, or by knocking',
  }),
  'lobby-shows': choice('count', 'nothing', 'names').default('count').register(settingMetadata, {
    help: 'what whoever may enter learns before that of who is inside: how many, nothing, or their names too, of rooms that are open and have no passcode',
  }),
  'max-waiting': integer(0, 10_000)
    .default(16)
    .register(settingMetadata, { help: 'peers that may wait before a room' }),
  'max-bans': integer(16, 1_000_000).default(256).register(settingMetadata, {
    help: 'sessions that a room remembers as denied, kicked or banned',
  }),
  'chat-history': integer(0, 10_000).default(50).register(settingMetadata, {
    help: 'texts to everyone that a room keeps for those who come later; 0 for none',
  }),
  'max-message-bytes': bytes(1024, 16_777_216)
    .default(65_536)
    .register(settingMetadata, { help: 'bytes of one message' }),
  'max-unsent-bytes': bytes(65_536, 1_073_741_824).default(1_048_576).register(settingMetadata, {
    help: 'bytes that may wait for a peer that does not read',
  }),
  'message-rate': integer(1, 1_000_000).default(100).register(settingMetadata, {
    help: 'messages per second a session may send in the long run',
  }),
  'message-burst': integer(1, 10_000_000).default(400).register(settingMetadata, {
    help: 'messages a session may send at once',
  }),
  'byte-rate': bytes(1024, 1_073_741_824).default(1_048_576).register(settingMetadata, {
    help: 'bytes of messages per second a session may send in the long run',
  }),
  'byte-burst': bytes(1024, 1_073_741_824).default(4_194_304).register(settingMetadata, {
    help: 'bytes of messages a session may send at once',
  }),
  'log-events': integer(16, 1_000_000).default(8192).register(settingMetadata, {
    help: 'events a room keeps for those who come back',
  }),
  'log-bytes': bytes(4096, 1_073_741_824).default(1_048_576).register(settingMetadata, {
    help: 'bytes of events a room keeps',
  }),
  'max-kept-bytes': bytes(1_048_576, 1_099_511_627_776).default(134_217_728).register(settingMetadata, {
    help: 'bytes that all rooms of a process keep: events, chat, peers. Beyond that the oldest events go, of the address that keeps most and of its largest room first; clients that missed them join again',
  }),
  'max-kept-bytes-per-address': bytes(65_536, 1_099_511_627_776).default(16_777_216).register(settingMetadata, {
    help: 'bytes that the rooms keep that one address (IPv6: one /48) opened',
  }),
  'seat-resume-rate': integer(1, 1_000_000).default(30).register(settingMetadata, {
    help: 'times per minute that one peer may come back to its seat in the long run',
  }),
  'seat-resume-burst': integer(1, 1_000_000).default(30).register(settingMetadata, {
    help: 'times that one peer may come back to its seat at once',
  }),
  'join-timeout': seconds(1, 3600).default(10).register(settingMetadata, {
    help: 'seconds a connection may take to join',
  }),
  grace: seconds(1, 86_400).default(30).register(settingMetadata, {
    help: 'seconds a lost connection has to come back before the peer has left',
  }),
  'return-grace': seconds(0, 86_400).default(5).register(settingMetadata, {
    help: 'seconds a page that was closed or is being loaded again has to come back',
  }),
  'poll-wait': seconds(1, 3600).default(25).register(settingMetadata, {
    help: 'seconds a request for events may wait',
  }),
  'poll-grace': seconds(1, 3600).default(10).register(settingMetadata, {
    help: 'seconds between such requests before the peer counts as away; after so long without a connection a seat of a full room goes to a newcomer',
  }),
  heartbeat: seconds(1, 3600).default(15).register(settingMetadata, {
    help: 'seconds of silence after which an event stream says that it is there; less than any proxy between waits',
  }),
  'ping-interval': seconds(1, 3600).default(25).register(settingMetadata, {
    help: 'seconds between WebSocket pings, and for the pong to come; an event stream ends after twice that without a request of its peer',
  }),
  'max-quiet': seconds(0, 3600).default(120).register(settingMetadata, {
    help: 'seconds for which a WebSocket may ask, once and before it joins, not to be pinged: genkan doctor --slow looks so for what cuts idle connections',
  }),
  'ack-delay': integer(0, 1000, 'MS').default(10).register(settingMetadata, {
    help: 'milliseconds over which acknowledgements are gathered',
  }),
};
