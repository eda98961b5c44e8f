/**
 * Limits what the SDP of a peer costs the browser. Chromium needs cubic time for `a=rtcp-fb:*` and `a=rtcp-fb:96`, and quadratic time for
 * `a=fmtp:96`: 800 such lines fit into an SDP of a usual length, and blocked a page for 16 seconds.
 */

/** Characters of a line, and lines of one attribute in a section. Browsers send lines of up to 500 characters, and 24 of `ssrc`. */
export const sdpBounds = { line: 1_024, attribute: 64 } as const;

/** Lines of these attributes for one payload type, or for all (`*`): RFC 8866, section 6.6; RFC 4585, section 4.2. */
export const payloadBounds = { rtpmap: 2, fmtp: 4, 'rtcp-fb': 12 } as const;

const attribute = /^a=([\w.-]+)/;
const payloadType = /^a=[\w-]+:(\d{1,3}|\*) /;

/** Drops the lines beyond the limits. @param takeCandidate whether one more ICE candidate is allowed */
export const limitSdp = (sdp: string, takeCandidate: () => boolean): string => {
  let section = new Map<string, number>();
  const take = (key: string, most: number): boolean => {
    const count = (section.get(key) ?? 0) + 1;
    section.set(key, count);
    return count <= most;
  };
  const isAllowed = (line: string): boolean => {
    if (line.length > sdpBounds.line) return false;
    if (line.startsWith('m=')) section = new Map();
    if (!/^a=/i.test(line)) return take(line.slice(0, 2), sdpBounds.attribute);
    const name = line.match(attribute)?.[1]?.toLowerCase();
    if (name === 'candidate') return takeCandidate();
    if (isOfPayloadType(name)) {
      const type = line.match(payloadType)?.[1];
      return type !== undefined && take(`${name} ${Number(type)}`, payloadBounds[name]);
    }
    return name !== undefined && take(name, sdpBounds.attribute);
  };
  // Split at every line end that a browser might recognise, and joined by the standard one.
  return sdp
    .split(/\r\n?|\n/)
    .filter(isAllowed)
    .join('\r\n');
};

const isOfPayloadType = (name: string | undefined): name is keyof typeof payloadBounds =>
  name !== undefined && Object.hasOwn(payloadBounds, name);
