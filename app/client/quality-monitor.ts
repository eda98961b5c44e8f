/** Samples the statistics of all links, and limits the video sent over each to its quality and to the number of peers. */
import type { PeerId } from '../protocol/messages.ts';
import { Alarm, type Clock } from './clock.ts';
import type { MeshPeer } from './mesh-peer.ts';
import type { Quality } from './quality.ts';

/** Milliseconds after the last peer that left until more video is sent: peers may join and leave often, and a change costs a key frame. */
const raiseDelay = 2_000;

export type QualityHandlers = {
  /** The video track that is sent. */
  track(): MediaStreamTrack | null;
  measured(peer: MeshPeer, quality: Quality, levelChanged: boolean): void;
};

export class QualityMonitor {
  #peers: ReadonlyMap<PeerId, MeshPeer>;
  #interval: number;
  #handlers: QualityHandlers;
  #sampleAlarm: Alarm;
  #raiseAlarm: Alarm;

  /** @param interval milliseconds between two samples */
  constructor(peers: ReadonlyMap<PeerId, MeshPeer>, clock: Clock, interval: number, handlers: QualityHandlers) {
    this.#peers = peers;
    this.#interval = interval;
    this.#handlers = handlers;
    this.#sampleAlarm = new Alarm(clock);
    this.#raiseAlarm = new Alarm(clock);
  }

  peerAdded(): void {
    this.limitAllVideo();
    if (!this.#sampleAlarm.armed) this.#scheduleSample();
  }

  peerRemoved(): void {
    this.#raiseAlarm.arm(raiseDelay, () => this.limitAllVideo());
  }

  limitAllVideo(): void {
    for (const peer of this.#peers.values()) this.limitVideo(peer);
  }

  limitVideo({ link, monitor }: MeshPeer): void {
    const track = this.#handlers.track();
    if (track && link.state === 'connected') link.setLimits(monitor.limits(this.#peers.size, track));
  }

  close(): void {
    this.#sampleAlarm.disarm();
    this.#raiseAlarm.disarm();
  }

  #scheduleSample(): void {
    this.#sampleAlarm.arm(this.#interval, () => {
      if (this.#peers.size > 0) this.#scheduleSample();
      for (const peer of this.#peers.values()) void this.#sample(peer);
    });
  }

  async #sample(peer: MeshPeer): Promise<void> {
    const { link, monitor } = peer;
    const stats = link.state === 'connected' && (await link.stats());
    const before = monitor.quality?.level;
    const isCurrent = this.#peers.get(peer.peer.id) === peer;
    if (!stats || !isCurrent || !monitor.take(stats, this.#peers.size)) return;
    this.limitVideo(peer);
    const { quality } = monitor;
    if (quality) this.#handlers.measured(peer, quality, quality.level !== before);
  }
}
