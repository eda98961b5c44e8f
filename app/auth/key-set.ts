/** A JSON Web Key Set (RFC 7517) at a URL, fetched within limits, so that another server cannot exhaust this one. */
import { createRemoteJWKSet, customFetch } from 'jose';
import { errors } from '../protocol/errors.ts';
import { keySet, type VerificationKey } from './keys.ts';

/** Far above what identity providers publish: a few keys of a few KB each. */
export const keySetLimits = {
  bytes: 256 * 1024,
  keys: 64,
  /** ms for the whole response */
  timeout: 5000,
  /** ms for which a set is cached */
  age: 600_000,
  /** ms before an unknown key causes another fetch */
  cooldown: 30_000,
  /** ms without another fetch after a failure */
  pause: errors['keys-unavailable'].retry,
};

export type KeySetOptions = {
  limits?: { [name in keyof typeof keySetLimits]?: number };
  /** Monotonic, in ms. */
  clock?: () => number;
  /** Called once for each failed fetch. */
  failed?: (reason: string) => void;
};

/** All users of the set share one fetch, and its failure for a while. @param url https, or http on this machine */
export const remoteKeySet = (
  url: URL,
  { limits, clock = () => performance.now(), failed = () => {} }: KeySetOptions,
): VerificationKey => {
  const { bytes, keys, timeout, age, cooldown, pause } = { ...keySetLimits, ...limits };
  let failure: { reason: unknown; until: number } | undefined;
  const fetchSet = async (href: string, options: RequestInit): Promise<Response> => {
    if (failure && clock() < failure.until) throw failure.reason;
    try {
      // No redirects: they could lead to plain http, or into the network of this server.
      const text = await readText(await fetch(href, { ...options, redirect: 'error' }), bytes);
      checkSet(JSON.parse(text), keys);
      failure = undefined;
      return new Response(text);
    } catch (error) {
      failure = { reason: error, until: clock() + pause };
      failed(reasonOf(error));
      throw error;
    }
  };
  const options = { timeoutDuration: timeout, cacheMaxAge: age, cooldownDuration: cooldown, [customFetch]: fetchSet };
  return keySet(createRemoteJWKSet(url, options));
};

/** @throws if the status is not 200, or the decompressed body exceeds `most` bytes; the rest is not read then */
const readText = async ({ status, body }: Response, most: number): Promise<string> => {
  if (status !== 200) {
    await body?.cancel();
    throw new Error(`it answered ${status}`);
  }
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of body ?? []) {
    length += part.byteLength;
    if (length > most) throw new Error(`it is longer than ${most} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
};

const checkSet = (set: unknown, most: number): void => {
  const keys = typeof set === 'object' && set !== null && 'keys' in set ? set.keys : undefined;
  if (!Array.isArray(keys) || keys.some((key) => typeof key !== 'object' || key === null))
    throw new Error('it is no JSON Web Key Set');
  if (keys.length > most) throw new Error(`it has ${keys.length} keys, at most ${most} are read`);
};

/** The message of a fetch error says little; its cause tells what failed. */
const reasonOf = (error: unknown): string => {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
};
