/** The data channel of one connection: text and bytes from peer to peer, in order and complete, past the server. */
import type { PeerConnection } from './rtc.ts';

export type Data = string | ArrayBuffer;

/** Unsent bytes past which a sender has to wait, and at which it may go on. */
const full = 262_144;
const low = 65_536;

export type ChannelSetup = {
  opened(): void;
  heard(data: Data): void;
};

export class Channel {
  #channel: RTCDataChannel;
  #waiting: (() => void)[] = [];

  /** Made by both ends alike, before the first offer and before its answer, so that it needs no negotiation of its own. */
  constructor(pc: Pick<PeerConnection, 'createDataChannel'>, { opened, heard }: ChannelSetup) {
    const channel = pc.createDataChannel('genkan', { negotiated: true, id: 0 });
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = low;
    channel.onopen = opened;
    channel.onmessage = ({ data }) => heard(data);
    channel.onbufferedamountlow = () => this.#release();
    channel.onclose = () => this.#release();
    this.#channel = channel;
  }

  /** @returns whether it is on its way; false while the channel is not open */
  send(data: Data): boolean {
    if (this.#channel.readyState !== 'open') return false;
    // One overload takes text, the other bytes.
    this.#channel.send(data as string);
    return true;
  }

  /** Resolves when there is room for more, or nothing to send over any more. */
  ready(): Promise<void> {
    const { readyState, bufferedAmount } = this.#channel;
    if (readyState !== 'open' || bufferedAmount < full) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  close(): void {
    const channel = this.#channel;
    channel.onopen = channel.onmessage = channel.onbufferedamountlow = channel.onclose = null;
    channel.close();
    this.#release();
  }

  #release(): void {
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}
