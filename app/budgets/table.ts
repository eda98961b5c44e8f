/** Every resource that a client can exhaust: who owns the budget, which settings limit it, and what happens at the limit. */

export type Owner = 'connection' | 'seat' | 'room' | 'address' | 'process';
export type Budget = {
  resource: string;
  owner: Owner;
  /** Names of settings, in `config/settings/`. */
  settings: string[];
  atLimit: string;
};

/** Shown in `app/README.md`; a test compares the two, and checks names and defaults against the settings. */
export const budgets: Budget[] = [
  row('messages sent', 'seat', ['message-rate', 'message-burst'], 'error `rate-limited`; a whole burst over: 4002'),
  row('bytes sent', 'seat', ['byte-rate', 'byte-burst'], 'the same'),
  row('bytes of one message', 'connection', ['max-message-bytes'], 'error `too-long`'),
  row(
    'messages, times receivers',
    'address',
    ['address-message-rate', 'address-message-burst'],
    'error `rate-limited` with `retry`',
  ),
  row('bytes sent, in bodies too', 'address', ['address-byte-rate', 'address-byte-burst'], '`rate-limited`'),
  row('joins', 'address', ['join-rate', 'join-burst'], '`rate-limited`'),
  row('resumes, rejoins', 'seat', ['seat-resume-rate', 'seat-resume-burst'], '`rate-limited`; nothing changes'),
  row('resumes, rejoins', 'address', ['resume-rate', 'resume-burst'], '`rate-limited`'),
  row('missed events sent', 'seat', ['byte-rate', 'byte-burst'], 'poll: 429; resume: `recovered: false`'),
  row('missed events sent', 'address', ['replay-rate', 'replay-burst'], 'the same'),
  row('refused requests, messages', 'address', ['refusal-rate', 'refusal-burst'], 'the listener answers 429'),
  row('wrong tokens, passcodes', 'address', ['attempt-rate', 'attempt-burst'], '`rate-limited`'),
  row(
    'wrong passcodes',
    'room',
    ['room-attempt-rate', 'room-attempt-burst'],
    '`rate-limited`, for addresses that guessed wrong',
  ),
  row(
    'passcodes hashed',
    'address',
    ['hash-rate', 'hash-burst'],
    '`rate-limited`; all: one at a time, networks in turn',
  ),
  row('rooms open', 'address', ['max-rooms-per-address'], '`too-many-rooms`'),
  row('rooms open', 'process', ['max-rooms'], '`too-many-rooms`'),
  row('seats, lobby places', 'address', ['max-seats-per-address'], '`rate-limited`'),
  row('WebSockets, event streams', 'address', ['max-seats-per-address'], '`rate-limited`'),
  row('seats', 'room', ['max-peers', 'poll-grace'], 'an idle seat gives way, else `room-full`'),
  row('lobby places', 'room', ['max-waiting'], 'idle ones, then the largest network give way, else `lobby-full`'),
  row('bytes kept', 'room', ['log-bytes', 'log-events', 'chat-history'], 'the oldest go'),
  row('bytes kept', 'address', ['max-kept-bytes-per-address'], 'the oldest of its largest room go'),
  row('bytes kept', 'process', ['max-kept-bytes'], 'those of the address that keeps most go'),
  row('bytes unsent', 'connection', ['max-unsent-bytes'], '`slow-consumer`'),
  row('connections', 'process', ['max-connections'], 'closed'),
  row('connections to `--http`', 'address', ['max-connections-per-address'], 'closed'),
  row('time before joining', 'connection', ['join-timeout'], '`join-timeout`; after 20 messages 4002'),
  row('TURN user names', 'address', ['turn-names'], 'peers share the names'),
  row('bans remembered', 'room', ['max-bans'], 'the oldest are forgotten'),
];

function row(resource: string, owner: Owner, settings: string[], atLimit: string): Budget {
  return { resource, owner, settings, atLimit };
}
