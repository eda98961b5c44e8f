/**
 * Parser for uwsgi packets: `modifier1 u8 | size u16le | modifier2 u8`, then `size` bytes of name/value pairs, in which
 * each name and value is a u16le length and that many bytes. Source: uwsgi-docs, "The uwsgi Protocol".
 */

import { modifierName } from './modifiers.ts';

/** A variable of the packet, decoded as latin1, like headers in node:http. */
export type Variable = readonly [name: string, value: string];

type PacketFault = 'modifier-not-served' | 'block-too-large' | 'truncated-pair' | 'length-beyond-block' | 'empty-name';

type Packet = {
  kind: 'packet';
  modifier1: number;
  modifier2: number;
  /** In packet order, including repeats. */
  vars: Variable[];
  /** The rest of the last chunk after the packet: the beginning of the body, often empty. */
  rest: Buffer;
};

/** `more`: the packet is incomplete. After a `packet` or a `fault` the parser accepts no more chunks. */
export type PacketResult = { kind: 'more' } | Packet | { kind: 'fault'; fault: PacketFault; message: string };

type Fault = Extract<PacketResult, { kind: 'fault' }>;

export type PacketParser = (chunk: Buffer) => PacketResult;

const headLength = 4;
const more: PacketResult = { kind: 'more' };
const nothing = Buffer.alloc(0);

/**
 * A parser for one packet, fed with chunks split anywhere. A packet in a single chunk is parsed in place; one in
 * several chunks is collected in a buffer of its announced size, so every byte is copied at most once.
 * @param bufferSize maximum bytes of the variable block; the format allows at most 65535
 * @param served accepted values of modifier1, as in modifiers.ts
 */
export const createPacketParser = (bufferSize: number, served: readonly number[] = [0]): PacketParser => {
  let packet = nothing;
  let filled = 0;

  const gather = (chunk: Buffer): PacketResult => {
    if (packet === nothing) packet = Buffer.allocUnsafe(headLength);
    const taken = fill(packet, filled, chunk);
    filled += taken;
    if (filled < packet.length) return more;
    return packet.length === headLength
      ? gatherBlock(chunk.subarray(taken))
      : readPacket(packet, chunk.subarray(taken));
  };

  const gatherBlock = (chunk: Buffer): PacketResult => {
    const fault = headFault(packet, bufferSize, served);
    if (fault !== undefined) return fault;
    // A packet without variables is complete after its head; another chunk might never come.
    if (blockSize(packet) === 0) return readPacket(packet, chunk);
    const whole = Buffer.allocUnsafe(headLength + blockSize(packet));
    packet.copy(whole);
    packet = whole;
    return gather(chunk);
  };

  return (chunk) => {
    if (filled > 0 || chunk.length < headLength) return gather(chunk);
    const fault = headFault(chunk, bufferSize, served);
    if (fault !== undefined) return fault;
    const end = headLength + blockSize(chunk);
    if (chunk.length < end) return gather(chunk);
    return readPacket(chunk, chunk.length === end ? nothing : chunk.subarray(end));
  };
};

/** Copies as much of `chunk` as fits into `target` from `offset` on. @returns the number of bytes copied */
const fill = (target: Buffer, offset: number, chunk: Buffer): number => {
  const free = target.length - offset;
  return chunk.copy(target, offset, 0, free);
};

const blockSize = (packet: Buffer): number => packet.readUInt16LE(1);

const headFault = (packet: Buffer, bufferSize: number, served: readonly number[]): Fault | undefined => {
  const modifier1 = packet.readUInt8(0);
  if (!served.includes(modifier1)) {
    return fault('modifier-not-served', `modifier1 ${modifier1} (${modifierName(modifier1)}) is not served`);
  }
  const size = blockSize(packet);
  if (size > bufferSize) return fault('block-too-large', `${size} bytes of variables, at most ${bufferSize} are read`);
  return undefined;
};

const readPacket = (packet: Buffer, rest: Buffer): PacketResult => {
  const vars = readVariables(packet.toString('latin1', headLength, headLength + blockSize(packet)));
  if (!Array.isArray(vars)) return vars;
  return { kind: 'packet', modifier1: packet.readUInt8(0), modifier2: packet.readUInt8(3), vars, rest };
};

/**
 * Decodes the block once, as latin1, so that each character is one byte: slicing one string costs a quarter of
 * decoding each variable.
 */
const readVariables = (block: string): Variable[] | Fault => {
  const vars: Variable[] = [];
  let pair = 0;
  while (pair < block.length) {
    const name = pair + 2;
    const nameEnd = name + lengthAt(block, pair);
    const value = nameEnd + 2;
    if (name > block.length || (nameEnd <= block.length && value > block.length)) return truncated(pair);
    const valueEnd = value + lengthAt(block, nameEnd);
    if (nameEnd > block.length || valueEnd > block.length) return beyond(pair);
    if (nameEnd === name) return fault('empty-name', `the variable at byte ${pair} of the block has no name`);
    vars.push([block.slice(name, nameEnd), block.slice(value, valueEnd)]);
    pair = valueEnd;
  }
  return vars;
};

/** Beyond the end, bitwise operators turn NaN into 0; the caller checks the bounds. */
const lengthAt = (block: string, offset: number): number =>
  block.charCodeAt(offset) | (block.charCodeAt(offset + 1) << 8);

const fault = (code: PacketFault, message: string): Fault => ({ kind: 'fault', fault: code, message });
const truncated = (pair: number): Fault => fault('truncated-pair', `the pair at byte ${pair} of the block is cut off`);
const beyond = (pair: number): Fault =>
  fault('length-beyond-block', `the pair at byte ${pair} of the block is longer than the block`);
