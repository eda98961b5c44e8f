/** The data channel of one connection: text and bytes from peer to peer, in order and complete, past the server. */
import type { Allowance } from './allowance.ts';
import { isObject } from './link-signal.ts';
import type { PeerConnection } from './rtc.ts';

/** What is sent, and what was heard: bytes, or the fields of the JSON object that a text was. */
export type Data = string | ArrayBuffer;
export type Received = ArrayBuffer | Record<string, unknown>;

/** Characters of a text: an offer of a file has some hundreds. */
const longest = 4_096;

/** Unsent bytes past which a sender has to wait, and at which it may go on. */
const full = 262_144;
const low = 65_536;
/** Beyond that nothing is sent: the other side does not read. */
const most = 8_388_608;

export type ChannelSetup = {
  opened(): void;
  heard(data: unknown): void;
};

/** What a peer sent, looked at before it is parsed; undefined when that is nothing, too long, or more than its allowance. */
export const read = (data: unknown, allowance: Allowance): Received | undefined => {
  if (data instanceof ArrayBuffer) return data;
  if (typeof data !== 'string' || data.length > longest || !allowance.take('text')) return undefined;
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

  /** @returns whether it is on its way; false while the channel is not open, or the other side does not read */
  send(data: Data): boolean {
    const { readyState, bufferedAmount } = this.#channel;
    if (readyState !== 'open' || bufferedAmount > most) return false;
    try {
      // One overload takes text, the other bytes.
      this.#channel.send(data as string);
      return true;
    } catch {
      // Longer than the other side says that it takes.
      return false;
    }
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
