/** Derives the quality and the video limits of the link to one peer from its statistics. */

import { levelOf, type Quality, qualityBetween, type StatsSample, sampleStats, show, unseen } from './quality.ts';
import { adapt, freshBudget, limitsOf, type VideoBudget, type VideoLimits } from './video-budget.ts';

export class LinkMonitor {
  #previous: StatsSample | undefined;
  #shown = unseen;
  #budget: VideoBudget = freshBudget;
  #quality: Quality | undefined;

  /** Undefined until two samples of a working connection have been taken. */
  get quality(): Quality | undefined {
    return this.#quality;
  }

  /**
   * Processes another sample.
   * @param peers number of peers in the room
   * @returns whether `quality` was updated
   */
  take(stats: RTCStatsReport, peers: number): boolean {
    const previous = this.#previous;
    const current = sampleStats(stats);
    this.#previous = current;
    if (!previous || !current || current.at <= previous.at) return false;
    const measured = qualityBetween(previous, current);
    this.#shown = show(this.#shown, levelOf(measured));
    this.#quality = { level: this.#shown.level, ...measured };
    const { available, rtt, lossOut } = measured;
    this.#budget = adapt(this.#budget, { peers, available, rtt, loss: lossOut });
    return true;
  }

  /** @param track the video track that is sent */
  limits(peers: number, track: MediaStreamTrack): VideoLimits {
    const { width = 0, height = 0, displaySurface } = track.getSettings();
    return limitsOf(this.#budget, peers, Math.min(width, height), displaySurface !== undefined);
  }
}
