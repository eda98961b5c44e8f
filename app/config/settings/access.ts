/** Settings: access, tokens and rate limits. */
import { settingMetadata } from '../setting-metadata.ts';
import { bytes, choice, integer, list, path, seconds, text } from '../value-types.ts';

const secret = text(
  /^[!-+\--~]{32,1024}$/,
  'at least 32 letters, digits or signs, without spaces or commas (openssl rand -base64 32 makes such a secret)',
  'SECRET',
);
const word = (shown: string) => text(/^\S{1,256}$/, 'a word without spaces', shown);

export const access = {
  auth: choice('open', 'token').default('open').register(settingMetadata, {
    help: 'open = everyone who knows the name of a room may enter it, and a token that is shown counts if there are keys to check it; token = nobody enters without one',
  }),
  'token-secret': list(secret).register(settingMetadata, {
    help: 'shared secrets that tokens may be signed with (HS256), of which the first is what "genkan token" signs with; in the file one a line',
    secret: true,
  }),
  'token-key': list(path()).register(settingMetadata, {
    help: 'files with public keys (PEM) that tokens may be signed for: Ed25519 (EdDSA), EC on P-256 (ES256), RSA (RS256)',
  }),
  'token-jwks-url': text(
    /^(https:\/\/([\w.-]+|\[[\da-fA-F:.]+\])|http:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\]))(:\d{1,5})?(\/\S*)?$/,
    'a URL such as https://id.example/jwks.json (http:// only for this machine: localhost, 127.0.0.1 or [::1])',
    'URL',
  )
    .optional()
    .register(settingMetadata, {
      help: 'where a JSON Web Key Set with such keys is; it is read again every 10 minutes, and for a key that is not known at most every 30 seconds; at most 256 KiB and 64 keys, within 5 seconds, without redirects',
    }),
  'token-issuer': word('NAME').optional().register(settingMetadata, {
    help: 'what tokens must have as "iss"',
  }),
  'token-audience': word('NAME').optional().register(settingMetadata, {
    help: 'what tokens must have as, or among, "aud"',
  }),
  'token-leeway': seconds(0, 300).default(5).register(settingMetadata, {
    help: 'seconds by which the clock of whoever makes tokens may differ',
  }),
  'session-key': secret.optional().register(settingMetadata, {
    help: 'what sessions are proven with, so that peers whose room is lost come back under the ids they had, up to 24 hours after they were given; the same for all hosts that share a store. Without it one is made at the start, which workers share and a restart changes',
    secret: true,
  }),
  'join-rate': integer(1, 1_000_000).default(600).register(settingMetadata, {
    help: 'joins per minute from one address in the long run. Budgets by address are for an IPv4 address or an IPv6 /64; the /56 and the /48 around it have twice and four times as much',
  }),
  'join-burst': integer(1, 1_000_000).default(600).register(settingMetadata, {
    help: 'joins from one address at once',
  }),
  'resume-rate': integer(1, 1_000_000).default(1200).register(settingMetadata, {
    help: 'sessions per minute that come back from one address in the long run',
  }),
  'resume-burst': integer(1, 1_000_000).default(3000).register(settingMetadata, {
    help: 'sessions that come back from one address at once',
  }),
  'refusal-rate': integer(1, 1_000_000).default(1200).register(settingMetadata, {
    help: 'refused requests and messages per minute from one public address in the long run; beyond that the listener answers 429 to every request of that address',
  }),
  'refusal-burst': integer(1, 1_000_000).default(600).register(settingMetadata, {
    help: 'refused requests and messages from one public address at once',
  }),
  'attempt-rate': integer(1, 1_000_000).default(10).register(settingMetadata, {
    help: 'wrong tokens and passcodes per minute from one address in the long run',
  }),
  'attempt-burst': integer(1, 1_000_000).default(60).register(settingMetadata, {
    help: 'wrong tokens and passcodes from one address at once',
  }),
  'room-attempt-rate': integer(1, 1_000_000).default(30).register(settingMetadata, {
    help: 'wrong passcodes per minute at one room from all addresses; beyond that, addresses that have guessed wrong lately wait',
  }),
  'room-attempt-burst': integer(1, 1_000_000).default(120).register(settingMetadata, {
    help: 'wrong passcodes at one room from all addresses at once',
  }),
  'hash-rate': integer(1, 1_000_000).default(60).register(settingMetadata, {
    help: 'passcodes per minute that are hashed for one address, each some 35 ms of one processor; a passcode that was hashed lately is not hashed again',
  }),
  'hash-burst': integer(1, 1_000_000).default(60).register(settingMetadata, {
    help: 'passcodes that are hashed for one address at once',
  }),
  'max-rooms-per-address': integer(1, 10_000_000).default(200).register(settingMetadata, {
    help: 'rooms that one address has opened and that are still there',
  }),
  'max-seats-per-address': integer(1, 10_000_000).default(1000).register(settingMetadata, {
    help: 'peers from one address, in rooms and waiting; and WebSockets and event streams',
  }),
  'address-message-rate': integer(1, 10_000_000).default(2000).register(settingMetadata, {
    help: 'messages per second from one address in the long run; one to everyone in a room counts once for each receiver',
  }),
  'address-message-burst': integer(1, 10_000_000).default(60_000).register(settingMetadata, {
    help: 'messages from one address at once',
  }),
  'address-byte-rate': bytes(1024, 1_073_741_824).default(2_097_152).register(settingMetadata, {
    help: 'bytes per second of messages from one address in the long run; those of request bodies count four times',
  }),
  'address-byte-burst': bytes(65_536, 1_073_741_824).default(67_108_864).register(settingMetadata, {
    help: 'bytes of messages from one address at once; those of request bodies count four times',
  }),
  'replay-rate': bytes(1024, 1_073_741_824).default(4_194_304).register(settingMetadata, {
    help: 'bytes per second of missed events that are sent to one address in the long run',
  }),
  'replay-burst': bytes(1024, 1_073_741_824).default(67_108_864).register(settingMetadata, {
    help: 'bytes of missed events that are sent to one address at once',
  }),
};
