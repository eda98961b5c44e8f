/** Settings: limits and timeouts of rooms and their peers. */
import { settingMetadata } from '../setting-metadata.ts';
import { bytes, choice, integer, list, seconds, text } from '../value-types.ts';

export const rooms = {
  'stun-url': list(text(/^stuns?:\S+$/, 'stun:host:port', 'URL')).register(settingMetadata, {
    help: 'STUN servers sent to the browsers',
    common: true,
  }),
  'turn-url': list(text(/^turns?:[^\s?]+(\?transport=(udp|tcp))?$/, 'turn:host:port?transport=udp', 'URL')).register(
    settingMetadata,
    {
      help: 'TURN servers sent to the browsers, with credentials derived from turn-secret',
      common: true,
    },
  ),
  'turn-secret': text(/^\S{16,}(\s+\S{16,})*$/, 'at least 16 characters without spaces', 'SECRET')
    .optional()
    .register(settingMetadata, {
      help: 'secret shared with the TURN server; of several, separated by spaces or line breaks, the first signs',
      common: true,
      secret: true,
    }),
  'turn-ttl': seconds(20, 604_800).default(3600).register(settingMetadata, {
    help: 'lifetime of a TURN credential in seconds; peers get a new one after half of it',
    common: true,
  }),
  'turn-names': integer(1, 100_000).default(2).register(settingMetadata, {
    help: 'TURN user names for all peers of one address (IPv6: one /48); the user quota of the TURN server applies to each',
  }),
  'max-rooms': integer(1, 10_000_000)
    .default(10_000)
    .register(settingMetadata, { help: 'rooms in total', common: true }),
  'max-peers': integer(2, 1000).default(16).register(settingMetadata, {
    help: 'peers in a room, including those that are away',
    common: true,
  }),
  'room-access': choice('open', 'knock').default('open').register(settingMetadata, {
    help: 'how new peers enter a room until its hosts change it: directly, or by knocking',
    common: true,
  }),
  'lobby-shows': choice('count', 'nothing', 'names').default('count').register(settingMetadata, {
    help: 'what the lobby reveals about a room: peer count, nothing, or names too (names only if the room is open and has no passcode)',
  }),
  'max-waiting': integer(0, 10_000)
    .default(16)
    .register(settingMetadata, { help: 'peers that may wait in the lobby of a room' }),
  'max-ended-sessions': integer(16, 1_000_000)
    .default(256)
    .register(settingMetadata, {
      help: 'sessions that a room remembers as denied, kicked or banned',
      also: ['max-bans'],
    }),
  'chat-history': integer(0, 10_000).default(50).register(settingMetadata, {
    help: 'chat messages to everyone that a room keeps for peers that join later; 0 = none',
    common: true,
  }),
  'max-message-bytes': bytes(1024, 16_777_216)
    .default(65_536)
    .register(settingMetadata, { help: 'maximum bytes of one message' }),
  'max-unsent-bytes': bytes(65_536, 1_073_741_824).default(1_048_576).register(settingMetadata, {
    help: 'bytes buffered for a peer that does not read',
  }),
  'max-unsent-bytes-per-address': bytes(65_536, 1_099_511_627_776).default(16_777_216).register(settingMetadata, {
    help: 'bytes buffered for all WebSockets and event streams of one address (IPv6: one /48): not read by clients, or received and not handled yet; a process buffers at most four times as many',
  }),
  'message-rate': integer(1, 1_000_000).default(100).register(settingMetadata, {
    help: 'messages per second from one session, sustained',
  }),
  'message-burst': integer(1, 10_000_000).default(400).register(settingMetadata, {
    help: 'messages from one session in a burst',
  }),
  'byte-rate': bytes(1024, 1_073_741_824).default(1_048_576).register(settingMetadata, {
    help: 'bytes of messages per second from one session, sustained',
  }),
  'byte-burst': bytes(1024, 1_073_741_824).default(4_194_304).register(settingMetadata, {
    help: 'bytes of messages from one session in a burst',
  }),
  'log-events': integer(16, 1_000_000).default(8192).register(settingMetadata, {
    help: 'events that a room keeps for resuming peers',
  }),
  'log-bytes': bytes(4096, 1_073_741_824).default(1_048_576).register(settingMetadata, {
    help: 'bytes of events that a room keeps',
  }),
  'max-kept-bytes': bytes(1_048_576, 1_099_511_627_776).default(134_217_728).register(settingMetadata, {
    help: 'bytes kept by all rooms of a process: events, chat, peers. Beyond that the oldest events are dropped, first from the largest room of the address that keeps most; clients that missed them join again',
  }),
  'max-kept-bytes-per-address': bytes(65_536, 1_099_511_627_776).default(16_777_216).register(settingMetadata, {
    help: 'bytes kept by the rooms that one address (IPv6: one /48) opened',
  }),
  'seat-resume-rate': integer(1, 1_000_000).default(30).register(settingMetadata, {
    help: 'times per minute that one peer may resume or rejoin, sustained',
  }),
  'seat-resume-burst': integer(1, 1_000_000).default(30).register(settingMetadata, {
    help: 'times that one peer may resume or rejoin in a burst',
  }),
  'join-timeout': seconds(1, 3600).default(10).register(settingMetadata, {
    help: 'seconds that a connection may take to join',
  }),
  grace: seconds(1, 86_400).default(30).register(settingMetadata, {
    help: 'seconds that a peer has to reconnect after a lost connection before it leaves',
    common: true,
  }),
  'return-grace': seconds(0, 86_400).default(5).register(settingMetadata, {
    help: 'seconds that a peer has to reconnect after its page was closed or reloaded',
  }),
  'room-memory': seconds(0, 86_400).default(600).register(settingMetadata, {
    help: 'seconds for which an empty room keeps its access, passcode and bans for a host that lost its connection and has not left; that host also returns as host. 0: not at all',
  }),
  'poll-wait': seconds(1, 3600).default(25).register(settingMetadata, {
    help: 'seconds that a long poll may wait for events',
  }),
  'poll-grace': seconds(1, 3600).default(10).register(settingMetadata, {
    help: 'seconds between long polls before the peer counts as away; in a full room a peer without a connection for this long gives way to a new one',
  }),
  heartbeat: seconds(1, 3600).default(15).register(settingMetadata, {
    help: 'seconds of silence after which an event stream sends a heartbeat; less than the read timeout of any proxy in between',
  }),
  'ping-interval': seconds(1, 3600).default(25).register(settingMetadata, {
    help: 'seconds between WebSocket pings, and for the pong to arrive; an event stream ends after twice that without a request of its peer',
  }),
  'max-quiet': seconds(0, 3600).default(120).register(settingMetadata, {
    help: 'longest time in seconds that a client may suppress pings, once and before it joins; genkan doctor --slow uses it to find what cuts idle connections',
  }),
  'ack-delay': integer(0, 1000, 'MS').default(10).register(settingMetadata, {
    help: 'milliseconds over which acknowledgements are batched',
  }),
};
