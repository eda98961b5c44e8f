/** Every resource that a client can exhaust: who owns the budget, which settings limit it, and what happens at the limit. */

type Owner = 'connection' | 'seat' | 'room' | 'address' | 'process';
type Budget = {
  resource: string;
  owner: Owner;
  /** Names of settings, in `config/settings/`. */
  settings: string[];
  atLimit: string;
};

/** Shown in `app/budgets/README.md`; a test compares the two, and checks names and defaults against the settings. */
export const budgets: Budget[] = [
  row(
    'messages and control frames sent',
    'seat',
    ['message-rate', 'message-burst'],
    'error `rate-limited`; over by a whole burst: closed with 4002',
  ),
  row('bytes sent', 'seat', ['byte-rate', 'byte-burst'], 'the same'),
  row('bytes of one message', 'connection', ['max-message-bytes'], 'error `too-long`'),
  row(
    'messages × receivers',
    'address',
    ['address-message-rate', 'address-message-burst'],
    'error `rate-limited` with `retry`',
  ),
  row('bytes sent, including request bodies', 'address', ['address-byte-rate', 'address-byte-burst'], '`rate-limited`'),
  row('joins', 'address', ['join-rate', 'join-burst'], '`rate-limited`'),
  row('resumes and rejoins', 'seat', ['seat-resume-rate', 'seat-resume-burst'], '`rate-limited`; the seat is kept'),
  row('resumes, rejoins, unknown sessions', 'address', ['resume-rate', 'resume-burst'], '`rate-limited`'),
  row('missed events sent', 'seat', ['byte-rate', 'byte-burst'], 'poll: 429; resume: `recovered: false`'),
  row('missed events sent', 'address', ['replay-rate', 'replay-burst'], 'the same'),
  row('refused requests and messages', 'address', ['refusal-rate', 'refusal-burst'], 'the listener responds with 429'),
  row('wrong tokens and passcodes', 'address', ['attempt-rate', 'attempt-burst'], '`rate-limited`'),
  row(
    'wrong passcodes',
    'room',
    ['room-attempt-rate', 'room-attempt-burst'],
    '`rate-limited`, for addresses that guessed wrong',
  ),
  row(
    'passcode hashes',
    'address',
    ['hash-rate', 'hash-burst'],
    '`rate-limited`; hashed one at a time, networks in turn',
  ),
  row('open rooms', 'address', ['max-rooms-per-address'], '`too-many-rooms`'),
  row('open rooms', 'process', ['max-rooms'], '`too-many-rooms`'),
  row('seats and peers in the lobby', 'address', ['max-seats-per-address'], '`rate-limited`'),
  row('WebSockets and event streams', 'address', ['max-seats-per-address'], '`rate-limited`'),
  row('seats', 'room', ['max-peers', 'poll-grace'], 'an idle seat is freed, otherwise `room-full`'),
  row(
    'peers in the lobby',
    'room',
    ['max-waiting'],
    'an idle peer is removed, or one of the largest network; otherwise `lobby-full`',
  ),
  row('`lobby` events', 'room', [], 'after 20 at once, one a second, with the latest lobby'),
  row('kept bytes', 'room', ['log-bytes', 'log-events', 'chat-history'], 'the oldest are dropped'),
  row('kept bytes', 'address', ['max-kept-bytes-per-address'], 'the oldest of its largest room are dropped'),
  row('kept bytes', 'process', ['max-kept-bytes'], 'those of the address with the most are dropped'),
  row('bytes on disk (embedded store)', 'process', ['max-state-bytes'], 'no room is opened: `store-unavailable`'),
  row('unsent bytes', 'connection', ['max-unsent-bytes'], '`slow-consumer`'),
  row(
    'unsent and unhandled bytes',
    'address',
    ['max-unsent-bytes-per-address'],
    '`slow-consumer` for those with the most',
  ),
  row(
    'unsent and unhandled bytes',
    'process',
    ['max-unsent-bytes-per-address'],
    'over four times as many: `slow-consumer`, the largest address first',
  ),
  row('pipelined requests', 'connection', [], 'one is read when the one before it is answered'),
  row('lines of a request head', 'connection', [], 'over 3000: 431'),
  row('requests that wait for a turn of the event loop', 'address', [], 'over 4096, or 16 MiB: `rate-limited`'),
  row('requests that wait for a turn of the event loop', 'process', [], 'over 64 MiB: `rate-limited`'),
  row('lines in the log about refused requests', 'process', [], 'over 20 a second: counted'),
  row('connections', 'process', ['max-connections'], 'closed'),
  row('connections to `--http`', 'address', ['max-connections-per-address'], 'closed'),
  row(
    'time before joining',
    'connection',
    ['join-timeout'],
    '`join-timeout`; after 20 messages, or the bytes of two of the largest: 4002',
  ),
  row('TURN user names', 'address', ['turn-names'], 'peers share the names'),
  row('bans', 'room', ['max-ended-sessions'], 'the oldest are dropped'),
];

function row(resource: string, owner: Owner, settings: string[], atLimit: string): Budget {
  return { resource, owner, settings, atLimit };
}
