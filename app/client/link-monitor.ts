/** What is known of the path to one peer, and what follows from it: the quality that is shown, and the limits of what is sent. */

import { levelOf, type Quality, qualityBetween, type StatsSample, sampleStats, show, unseen } from './quality.ts';
import { adapt, freshBudget, limitsOf, type VideoBudget, type VideoLimits } from './video-budget.ts';

export class LinkMonitor {
  #before: StatsSample | undefined;
  #shown = unseen;
  #budget: VideoBudget = freshBudget;
  #quality: Quality | undefined;

  /** Undefined before two looks at a connection that works. */
  get quality(): Quality | undefined {
    return this.#quality;
  }

  /**
   * Takes another look, with so many peers in the room.
   * @returns whether there is a new `quality`
   */
  take(stats: RTCStatsReport, peers: number): boolean {
    const before = this.#before;
    const now = sampleStats(stats);
    this.#before = now;
    if (!before || !now || now.at <= before.at) return false;
    const measured = qualityBetween(before, now);
    this.#shown = show(this.#shown, levelOf(measured));
    this.#quality = { level: this.#shown.level, ...measured };
    const { available, rtt, lossOut } = measured;
    this.#budget = adapt(this.#budget, { peers, available, rtt, loss: lossOut });
    return true;
  }

  /** @param track what is sent */
  limits(peers: number, track: MediaStreamTrack): VideoLimits {
    const { width = 0, height = 0, displaySurface } = track.getSettings();
    return limitsOf(this.#budget, peers, Math.min(width, height), displaySurface !== undefined);
  }
}
