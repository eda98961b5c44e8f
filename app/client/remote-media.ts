/**
 * Limits what the media of a peer costs the browser, about which no message tells the page. A video of 8192 × 8192 pixels, 340 kB a key
 * frame, made Chromium's page grow by 1.2 GB in ten seconds. 300 STUN requests from as many ports occupied the thread that carries the
 * media of all connections for 0.7 s of CPU time, and further ones more each.
 */
import { Alarm, type Clock } from './clock.ts';
import type { PeerConnection } from './rtc.ts';

/** Pixels of a picture (a screen with 5K has 14.7 million), and remote ICE candidates: those of signals and those of STUN requests. */
export const mediaBounds = { pixels: 2 ** 24, candidates: 256 } as const;

/** Milliseconds between two looks at the size of the pictures: statistics are too slow for these. */
const interval = 250;

export class MediaGuard {
  #alarm: Alarm;
  #pc: Pick<PeerConnection, 'getTransceivers'>;
  #exceeded: (reason: string) => void;

  constructor(clock: Clock, pc: Pick<PeerConnection, 'getTransceivers'>, exceeded: (reason: string) => void) {
    this.#alarm = new Alarm(clock);
    this.#pc = pc;
    this.#exceeded = exceeded;
  }

  /** Looks at the received pictures from now on. */
  start(): void {
    this.#alarm.arm(interval, () => {
      if (this.#pc.getTransceivers().some(({ receiver }) => isTooLarge(receiver.track))) this.#exceeded(tooLarge);
      else this.start();
    });
  }

  /** Firefox reports the size of received pictures only here. */
  check(stats: RTCStatsReport): void {
    const all = [...stats.values()];
    const candidates = all.filter(({ type }) => type === 'remote-candidate').length;
    if (all.some(({ type, frameWidth, frameHeight }) => type === 'inbound-rtp' && isMany(frameWidth, frameHeight)))
      this.#exceeded(tooLarge);
    else if (candidates > mediaBounds.candidates) this.#exceeded('the peer uses too many addresses');
  }

  stop(): void {
    this.#alarm.disarm();
  }
}

const tooLarge = 'the pictures of the peer are too large';

const isMany = (width = 0, height = 0): boolean => width * height > mediaBounds.pixels;

const isTooLarge = (track: MediaStreamTrack): boolean => {
  const { width, height } = track.getSettings();
  return isMany(width, height);
};
