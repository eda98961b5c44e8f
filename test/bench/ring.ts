/**
 * The host of a room: a model of nginx's `hash … consistent`, for hosts that do not exist. According to its documentation
 * (https://nginx.org/en/docs/http/ngx_http_upstream_module.html#hash) it is the ketama hash of Cache::Memcached::Fast with ketama_points
 * 160. test/nginx/hash.test.ts compares it with a real nginx.
 */
import { crc32 } from 'node:zlib';

/** Points of a host of weight 1 on the ring. */
const pointsOfHost = 160;

export class Ring {
  /** Points in ascending order, and the host of each. */
  readonly #points: Uint32Array;
  readonly #hosts: Uint16Array;

  /** @param addresses as in nginx's `server` lines, at most 65 536 */
  constructor(addresses: string[]) {
    // In one number, to sort natively: of two hosts at one point the first in the list counts.
    const both = Float64Array.from(
      addresses.flatMap((address, host) => pointsOf(address).map((at) => at * 65_536 + host)),
    );
    const sorted = both
      .sort()
      .filter((one, index) => Math.floor(one / 65_536) !== Math.floor((both[index - 1] ?? -1) / 65_536));
    this.#points = Uint32Array.from(sorted, (one) => Math.floor(one / 65_536));
    this.#hosts = Uint16Array.from(sorted, (one) => one % 65_536);
  }

  /** The index of the host of a room. */
  hostOf(room: string): number {
    const at = crc32(room);
    let [low, high] = [0, this.#points.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.#points[middle] ?? 0) < at) low = middle + 1;
      else high = middle;
    }
    return this.#hosts[low === this.#points.length ? 0 : low] ?? 0;
  }
}

/** CRC32 of host, a zero byte, port, and the four bytes of the previous point, the lowest first. */
const pointsOf = (address: string): number[] => {
  const { host, port } = split(address);
  const base = crc32(`${host}\0${port}`);
  const points: number[] = [];
  const before = Buffer.alloc(4);
  for (let count = 0; count < pointsOfHost; count += 1) {
    const point = crc32(before, base);
    points.push(point);
    before.writeUInt32LE(point);
  }
  return points;
};

const split = (address: string): { host: string; port: string } => {
  if (address.startsWith('unix:')) return { host: address.slice('unix:'.length), port: '' };
  const [, host = address, port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
  return { host, port };
};
