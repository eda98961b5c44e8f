/** The client's side of binary signals (binary-signals.ts), for the browser library and the test peers. */

import { most } from './limits.ts';
import { nestsDeeper } from './nesting.ts';

export type ReceivedSignal = { type: 'signal'; seq: number; from: string; epoch: number; data: Uint8Array };

/** The payload of a binary frame. */
export const signalFrame = (n: number, to: string, epoch: number, data: string): Uint8Array<ArrayBuffer> =>
  new TextEncoder().encode(`${n} ${to} ${epoch}\n${data}`);

/** @returns undefined if the payload does not begin with the line of a signal */
export const readSignalFrame = (payload: Uint8Array): ReceivedSignal | undefined => {
  const line = new TextDecoder('latin1').decode(payload.subarray(0, maxLine));
  const [whole = '', seq, from = '', epoch] = signalLine.exec(line) ?? [];
  if (whole === '') return undefined;
  return { type: 'signal', seq: Number(seq), from, epoch: Number(epoch), data: payload.subarray(whole.length) };
};
const signalLine = /^([1-9]\d{0,14}) ([\w-]{1,32}) ([1-9]\d{0,14})\n/;
const maxLine = 65;

/** The value of data that would be relayed as JSON too; null for any other data: peers may send what they like. */
export const jsonOfData = (data: Uint8Array): unknown => {
  try {
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(data);
    return nestsDeeper(text, most.depth - 1) ? null : JSON.parse(text);
  } catch {
    return null;
  }
};
