/** Settings: who may come in, by which token, and how often. */
import { about } from '../about.ts';
import { choice, list, path, seconds, text, whole } from '../forms.ts';

const secret = text(
  /^[!-+\--~]{32,1024}$/,
  'at least 32 letters, digits or signs, without spaces or commas (openssl rand -base64 32 makes such a secret)',
  'SECRET',
);
const word = (shown: string) => text(/^\S{1,256}$/, 'a word without spaces', shown);

export const access = {
  auth: choice('open', 'token').default('open').register(about, {
    help: 'open = everyone who knows the name of a room may enter it, and a token that is shown counts if there are keys to check it; token = nobody enters without one',
  }),
  'token-secret': list(secret).register(about, {
    help: 'shared secrets that tokens may be signed with (HS256), of which the first is what "genkan token" signs with; in the file one a line',
    secret: true,
  }),
  'token-key': list(path()).register(about, {
    help: 'files with public keys (PEM) that tokens may be signed for: Ed25519 (EdDSA), EC on P-256 (ES256), RSA (RS256)',
  }),
  'token-jwks-url': text(
    /^(https:\/\/([\w.-]+|\[[\da-fA-F:.]+\])|http:\/\/(localhost|127(\.\d{1,3}){3}|\[::1\]))(:\d{1,5})?(\/\S*)?$/,
    'a URL such as https://id.example/jwks.json (http:// only for this machine: localhost, 127.0.0.1 or [::1])',
    'URL',
  )
    .optional()
    .register(about, {
      help: 'where a JSON Web Key Set with such keys is; it is read again every 10 minutes, and for a key that is not known at most every 30 seconds; at most 256 KiB and 64 keys, within 5 seconds, without redirects',
    }),
  'token-issuer': word('NAME').optional().register(about, {
    help: 'what tokens must have as "iss"',
  }),
  'token-audience': word('NAME').optional().register(about, {
    help: 'what tokens must have as, or among, "aud"',
  }),
  'token-leeway': seconds(0, 300).default(5).register(about, {
    help: 'seconds by which the clock of whoever makes tokens may differ',
  }),
  'session-key': secret.optional().register(about, {
    help: 'what sessions are proven with, so that peers whose room is lost come back under the ids they had, up to 24 hours after they were given; the same for all hosts that share a store. Without it one is made at the start, which workers share and a restart changes',
    secret: true,
  }),
  'join-rate': whole(1, 1_000_000).default(600).register(about, {
    help: 'entrances per minute from one address (IPv6: one /64) in the long run; who comes back to its seat is not counted',
  }),
  'join-burst': whole(1, 1_000_000).default(600).register(about, {
    help: 'entrances from one address at once',
  }),
  'attempt-rate': whole(1, 1_000_000).default(10).register(about, {
    help: 'wrong tokens and passcodes per minute from one address in the long run',
  }),
  'attempt-burst': whole(1, 1_000_000).default(60).register(about, {
    help: 'wrong tokens and passcodes from one address at once',
  }),
};
