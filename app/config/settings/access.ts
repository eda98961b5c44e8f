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
    help: 'open = anyone who knows the name of a room may join; a token is still used if there are keys to verify it; token = joining requires a token',
    common: true,
  }),
  'token-secret': list(secret).register(settingMetadata, {
    help: 'shared secrets that tokens may be signed with (HS256); "genkan token" signs with the first; in the file one per line',
    common: true,
    secret: true,
  }),
  'token-key': list(path()).register(settingMetadata, {
    help: 'files with public keys (PEM) that verify tokens: Ed25519 (EdDSA), EC on P-256 (ES256), RSA (RS256)',
    common: true,
  }),
  'token-jwks-url': text(
    /^(https:\/\/([\w.-]+|\[[\da-fA-F:.]+\])|http:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\]))(:\d{1,5})?(\/\S*)?$/,
    'a URL such as https://id.example/jwks.json (http:// only for this machine: localhost, 127.0.0.1 or [::1])',
    'URL',
  )
    .optional()
    .register(settingMetadata, {
      help: 'URL of a JSON Web Key Set with such keys; fetched again every 10 minutes, and for an unknown key at most every 30 seconds; at most 256 KiB and 64 keys, within 5 seconds, without redirects',
      common: true,
    }),
  'token-issuer': word('NAME').optional().register(settingMetadata, {
    help: 'required "iss" of tokens',
    common: true,
  }),
  'token-audience': word('NAME').optional().register(settingMetadata, {
    help: 'value that the "aud" of tokens must be or contain',
    common: true,
  }),
  'token-leeway': seconds(0, 300).default(5).register(settingMetadata, {
    help: 'tolerated difference, in seconds, from the clock of the token issuer',
  }),
  'session-key': secret.optional().register(settingMetadata, {
    help: 'key that signs session ids, so that peers keep their id if their room is lost, up to 24 hours after it was issued; must be the same on all hosts that share a store. When not set: random at each start, shared by the workers',
    secret: true,
  }),
  'join-rate': integer(1, 1_000_000).default(600).register(settingMetadata, {
    help: 'joins per minute from one address, sustained. Budgets by address apply to an IPv4 address or an IPv6 /64; its /56 and /48 have twice and four times as much',
  }),
  'join-burst': integer(1, 1_000_000).default(300).register(settingMetadata, {
    help: 'joins from one address in a burst',
  }),
  'resume-rate': integer(1, 1_000_000).default(1200).register(settingMetadata, {
    help: 'resumes and rejoins per minute from one address, sustained',
  }),
  'resume-burst': integer(1, 1_000_000).default(1000).register(settingMetadata, {
    help: 'resumes and rejoins from one address in a burst',
  }),
  'refusal-rate': integer(1, 1_000_000).default(1200).register(settingMetadata, {
    help: 'refused requests and messages per minute from one public address, sustained; beyond that the listener answers every request of that address with 429; requests caused by pages of other sites are counted apart',
  }),
  'refusal-burst': integer(1, 1_000_000).default(300).register(settingMetadata, {
    help: 'refused requests and messages from one public address in a burst',
  }),
  'attempt-rate': integer(1, 1_000_000).default(10).register(settingMetadata, {
    help: 'wrong tokens and passcodes per minute from one address, sustained',
  }),
  'attempt-burst': integer(1, 1_000_000).default(60).register(settingMetadata, {
    help: 'wrong tokens and passcodes from one address in a burst',
  }),
  'room-attempt-rate': integer(1, 1_000_000).default(30).register(settingMetadata, {
    help: 'wrong passcodes per minute for one room from all addresses, sustained; beyond that, addresses with recent wrong guesses must wait',
  }),
  'room-attempt-burst': integer(1, 1_000_000).default(120).register(settingMetadata, {
    help: 'wrong passcodes for one room from all addresses in a burst',
  }),
  'hash-rate': integer(1, 1_000_000).default(60).register(settingMetadata, {
    help: 'passcodes hashed per minute for one address, sustained, each about 35 ms of CPU time; a recently hashed passcode is not hashed again',
  }),
  'hash-burst': integer(1, 1_000_000).default(60).register(settingMetadata, {
    help: 'passcodes hashed for one address in a burst',
  }),
  'max-rooms-per-address': integer(1, 10_000_000).default(200).register(settingMetadata, {
    help: 'existing rooms that one address has created',
  }),
  'max-seats-per-address': integer(1, 10_000_000).default(1000).register(settingMetadata, {
    help: 'peers from one address, in rooms and lobbies; separately, its WebSockets and event streams',
  }),
  'address-message-rate': integer(1, 10_000_000).default(2000).register(settingMetadata, {
    help: 'messages per second from one address, sustained; a message to a whole room counts once per receiver',
  }),
  'address-message-burst': integer(1, 10_000_000).default(20_000).register(settingMetadata, {
    help: 'messages from one address in a burst',
  }),
  'address-byte-rate': bytes(1024, 1_073_741_824).default(2_097_152).register(settingMetadata, {
    help: 'bytes per second of messages from one address, sustained; bytes in request bodies count four times',
  }),
  'address-byte-burst': bytes(65_536, 1_073_741_824).default(33_554_432).register(settingMetadata, {
    help: 'bytes of messages from one address in a burst; bytes in request bodies count four times',
  }),
  'replay-rate': bytes(1024, 1_073_741_824).default(4_194_304).register(settingMetadata, {
    help: 'bytes per second of missed events sent to one address, sustained',
  }),
  'replay-burst': bytes(1024, 1_073_741_824).default(33_554_432).register(settingMetadata, {
    help: 'bytes of missed events sent to one address in a burst',
  }),
};
