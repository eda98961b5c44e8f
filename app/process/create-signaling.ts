/** Creates from the settings what every transport needs: the store, the budgets, the limits and the counters. */
import type { Logger } from 'pino';
import { PasscodeHasher } from '../auth/passcode.ts';
import { createSessions, randomKey } from '../auth/session.ts';
import { createTokenVerifier, type TokenVerifier } from '../auth/token.ts';
import { verificationKeys } from '../auth/token-keys.ts';
import { iceSet, type Turn } from '../auth/turn.ts';
import { AddressBudgets, type AddressLimits } from '../budgets/address-budgets.ts';
import { KeyedBuckets } from '../budgets/keyed-buckets.ts';
import { SeatBudgets, type SeatLimits } from '../budgets/seat-budgets.ts';
import type { RateLimits } from '../budgets/token-bucket.ts';
import { TurnShares } from '../budgets/turn-shares.ts';
import { UnsentBytes } from '../budgets/unsent-bytes.ts';
import type { Settings } from '../config/schema.ts';
import { inNetworks, privateNetworks } from '../listener/networks.ts';
import { refusalsByAddress } from '../listener/refused-addresses.ts';
import { refuse } from '../protocol/errors.ts';
import type { Rules } from '../rooms/room.ts';
import type { Signaling, SignalingLimits } from '../signaling/context.ts';
import { Fanout } from '../signaling/fanout.ts';
import { zeroCounts } from '../stats/counters.ts';
import { pausable } from '../store/pausable.ts';
import { openStore } from './open-store.ts';

type SignalingHooks = Pick<Signaling, 'settled'> & {
  /** ms since 1970, monotonic; a shared store has a clock of its own. */
  localClock: () => number;
  /** Whether new rooms may be opened; called repeatedly. */
  accepting: () => boolean;
  /** Number of this worker, from 1. */
  worker: number;
};

/** @throws if a key cannot be read or the store rejects the login */
export const createSignaling = async (
  settings: Settings,
  log: Logger,
  { localClock, accepting, settled, worker }: SignalingHooks,
): Promise<Signaling> => {
  const counts = zeroCounts();
  const limits = signalingLimits(settings);
  const { store: opened, clock } = await openStore(settings, limits.rules, log, counts, { localClock, worker });
  const store = pausable(opened, () =>
    accepting() ? opened.shortage?.() : refuse('too-many-rooms', 'new rooms are paused'),
  );
  const addresses = new AddressBudgets(addressLimits(settings));
  const isShared = inNetworks([...privateNetworks, ...settings['allow-from'], ...settings['trusted-proxies']]);
  return {
    ...{ store, clock, log, counts, limits, addresses, settled },
    sessions: createSessions(settings['session-key'] ?? randomKey()),
    authorise: tokenVerifier(settings, log),
    refusedTo: refusalsByAddress(addresses, clock, isShared, log),
    roomGuesses: new KeyedBuckets(perMinute(settings, 'room-attempt')),
    passcodes: new PasscodeHasher(),
    seats: new SeatBudgets(seatLimits(settings), store.worker !== undefined),
    turns: new TurnShares(setImmediate),
    unsent: new UnsentBytes(settings['max-unsent-bytes-per-address']),
    fanout: new Fanout(store, Math.floor(Math.min(settings['log-events'], 1024) / 4)),
    ice: iceServers(settings),
  };
};

const signalingLimits = (settings: Settings): SignalingLimits => {
  const pollWait = settings['poll-wait'] * 1000;
  return {
    rules: roomRules(settings),
    messageBytes: settings['max-message-bytes'],
    unsentBytes: settings['max-unsent-bytes'],
    ...seatLimits(settings),
    joinTimeout: settings['join-timeout'] * 1000,
    pollGrace: settings['poll-grace'] * 1000,
    // A long poll must end, even one tick late, before harakiri answers it.
    pollWait: settings.harakiri > 0 ? Math.min(pollWait, settings.harakiri * 700) : pollWait,
    heartbeat: settings.heartbeat * 1000,
    pingInterval: settings['ping-interval'] * 1000,
    maxQuiet: settings['max-quiet'] * 1000,
    ackDelay: settings['ack-delay'],
    lobbyShows: settings['lobby-shows'],
  };
};

const roomRules = (settings: Settings): Rules => ({
  access: settings['room-access'],
  maxPeers: settings['max-peers'],
  maxWaiting: settings['max-waiting'],
  maxEndedSessions: settings['max-ended-sessions'],
  chatHistory: settings['chat-history'],
  grace: settings.grace * 1000,
  returnGrace: settings['return-grace'] * 1000,
  roomMemory: settings['room-memory'] * 1000,
  idleSeat: settings['poll-grace'] * 1000,
  resumes: perMinute(settings, 'seat-resume'),
});

const seatLimits = (settings: Settings): SeatLimits => ({
  rate: settings['message-rate'],
  burst: settings['message-burst'],
  byteRate: settings['byte-rate'],
  byteBurst: settings['byte-burst'],
});

const addressLimits = (settings: Settings): AddressLimits => ({
  rates: {
    joins: perMinute(settings, 'join'),
    lookups: perMinute(settings, 'join'),
    resumes: perMinute(settings, 'resume'),
    guesses: perMinute(settings, 'attempt'),
    hashes: perMinute(settings, 'hash'),
    messages: { rate: settings['address-message-rate'], burst: settings['address-message-burst'] },
    bytes: { rate: settings['address-byte-rate'], burst: settings['address-byte-burst'] },
    refusals: perMinute(settings, 'refusal'),
    crossSiteRefusals: perMinute(settings, 'refusal'),
    replay: { rate: settings['replay-rate'], burst: settings['replay-burst'] },
  },
  held: {
    rooms: settings['max-rooms-per-address'],
    seats: settings['max-seats-per-address'],
    connections: settings['max-seats-per-address'],
  },
});

const perMinute = (
  settings: Settings,
  name: 'join' | 'resume' | 'refusal' | 'attempt' | 'room-attempt' | 'hash' | 'seat-resume',
): RateLimits => ({ rate: settings[`${name}-rate`] / 60, burst: settings[`${name}-burst`] });

/** The times in tokens are those of other systems' clocks, hence Date.now(). */
const tokenVerifier = (settings: Settings, log: Logger): TokenVerifier => {
  const verifyToken = createTokenVerifier({
    required: settings.auth === 'token',
    keys: verificationKeys(settings, {
      failed: (reason) => log.warn({ reason }, 'the key set that tokens are checked with cannot be fetched'),
    }),
    issuer: settings['token-issuer'],
    audience: settings['token-audience'],
    leeway: settings['token-leeway'],
  });
  return (token, room) => verifyToken(token, room, Date.now());
};

/** The TURN server compares the times in credentials with its own clock, hence Date.now(). */
const iceServers = (settings: Settings): Signaling['ice'] => {
  const turn = turnOf(settings);
  return (peer, network, now) => {
    const date = Date.now();
    const { servers, renewAt } = iceSet(settings['stun-url'], turn, peer, network, date);
    return { servers, renewAt: now + renewAt - date };
  };
};

const turnOf = (settings: Settings): Turn | undefined => {
  // Of several secrets, the first one signs; during rotation the TURN server may still know another.
  const secret = settings['turn-secret']?.split(/\s+/)[0];
  return secret === undefined
    ? undefined
    : {
        urls: settings['turn-url'],
        secret,
        life: settings['turn-ttl'] * 1000,
        names: settings['turn-names'],
      };
};
