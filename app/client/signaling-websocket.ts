/**
 * The WebSocket of a room. With a server that knows `genkan.v2`, signals travel in binary frames, whose data the server relays without
 * reading it. The rest of the library gets these parsed, and all other messages as text.
 */
import { most } from '../protocol/limits.ts';
import { jsonOfData, readSignalFrame, signalFrame } from '../protocol/signal-frame.ts';
import type { Socket } from './transport.ts';

const binaryVersion = 'genkan.v2';

export class SignalingWebSocket implements Socket {
  onopen: Socket['onopen'] = null;
  onmessage: Socket['onmessage'] = null;
  onclose: Socket['onclose'] = null;
  #socket: WebSocket;

  constructor(url: string) {
    const socket = new WebSocket(url, [binaryVersion, 'genkan.v1']);
    this.#socket = socket;
    socket.binaryType = 'arraybuffer';
    socket.onopen = (event) => this.onopen?.(event);
    socket.onclose = (event) => this.onclose?.(event);
    socket.onmessage = (event) => {
      const { data } = event;
      this.onmessage?.(data instanceof ArrayBuffer ? new MessageEvent('message', { data: signalIn(data) }) : event);
    };
  }

  send(text: string): void {
    this.#socket.send((this.#socket.protocol === binaryVersion && frameOf(text)) || text);
  }

  close(code?: number): void {
    this.#socket.close(code);
  }
}

/** @returns undefined if the text is no signal, or one with more bytes than the limit, which counts characters in a text */
const frameOf = (text: string): Uint8Array<ArrayBuffer> | undefined => {
  const [head = '', n, to = '', epoch] = signalHead.exec(text) ?? [];
  if (head === '') return undefined;
  const frame = signalFrame(Number(n), to, Number(epoch), text.slice(head.length, -1));
  return frame.length <= most.signal ? frame : undefined;
};
/** As `outbox.ts` writes it. */
const signalHead = /^\{"type":"signal","n":(\d+),"to":"([\w-]+)","epoch":(\d+),"data":/;

/** A signal as a text has it. Its data is what a peer has sent: it is parsed on its own, so that it cannot forge the rest. */
const signalIn = (frame: ArrayBuffer): unknown => {
  const signal = readSignalFrame(new Uint8Array(frame));
  return signal && { ...signal, data: jsonOfData(signal.data) };
};
