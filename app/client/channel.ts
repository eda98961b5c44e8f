/** The data channel of one connection: text and bytes from peer to peer, ordered and reliable. */
import type { Allowance } from './allowance.ts';
import { isObject } from './link-signal.ts';
import type { PeerConnection } from './rtc.ts';

/** Data sent, and data received: bytes, or the parsed JSON object of a text message. */
export type ChannelData = string | ArrayBuffer;
export type ReceivedData = ArrayBuffer | Record<string, unknown>;

/** Maximum characters of a text message; a file offer has some hundreds. */
const maxText = 4_096;

/** Buffered bytes at which a sender must wait, and at which it may continue. */
const highWaterMark = 262_144;
const lowWaterMark = 65_536;
/** Buffered bytes above which nothing is sent, because the other side does not read. */
const maxBuffered = 8_388_608;

export type ChannelSetup = {
  opened(): void;
  heard(data: unknown): void;
};

/** Parses data from a peer, checking its size first. Returns undefined if it is invalid, too long or over the peer's allowance. */
export const read = (data: unknown, allowance: Allowance): ReceivedData | undefined => {
  if (data instanceof ArrayBuffer) return allowance.take('frame') ? data : undefined;
  if (typeof data !== 'string' || !allowance.take('text') || data.length > maxText) return undefined;
  try {
    const value: unknown = JSON.parse(data);
    return isObject(value) ? value : undefined;
  } catch {
    return undefined;
  }
};

export class Channel {
  #channel: RTCDataChannel;
  #waiting: (() => void)[] = [];

  /** Created by both ends with the same id, before the first offer or its answer, so that it needs no further negotiation. */
  constructor(pc: Pick<PeerConnection, 'createDataChannel'>, { opened, heard }: ChannelSetup) {
    const channel = pc.createDataChannel('genkan', { negotiated: true, id: 0 });
    channel.binaryType = 'arraybuffer';
    channel.bufferedAmountLowThreshold = lowWaterMark;
    channel.onopen = opened;
    channel.onmessage = ({ data }) => heard(data);
    channel.onbufferedamountlow = () => this.#release();
    channel.onclose = () => this.#release();
    this.#channel = channel;
  }

  /** @returns whether it was queued; false if the channel is not open, or the other side does not read */
  send(data: ChannelData): boolean {
    const { readyState, bufferedAmount } = this.#channel;
    if (readyState !== 'open' || bufferedAmount > maxBuffered) return false;
    try {
      // There is one overload for text and another for bytes.
      this.#channel.send(data as string);
      return true;
    } catch {
      // Longer than the maximum message size of the other side.
      return false;
    }
  }

  /** Resolves when the buffer has drained enough, or the channel has closed. */
  ready(): Promise<void> {
    const { readyState, bufferedAmount } = this.#channel;
    if (readyState !== 'open' || bufferedAmount < highWaterMark) return Promise.resolve();
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
