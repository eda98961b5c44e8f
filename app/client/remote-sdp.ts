/**
 * Limits what the SDP of a peer costs the browser. Chromium needs cubic time for `a=rtcp-fb:*` and `a=rtcp-fb:96`, and quadratic time for
 * `a=fmtp:96`: 800 such lines fit into an SDP of a usual length, and blocked a page for 16 seconds. A peer that asks for simulcast would
 * receive several videos, of which only the first is limited (setLimits in negotiation.ts).
 */

/**
 * Characters of a line, lines of one attribute in a section, and lines about payload types in a section. Browsers send lines of up to 500
 * characters, 24 of `ssrc`, and 93 about payload types; with 800 of these a description takes Chromium four times as long.
 */
export const sdpBounds = { line: 1_024, attribute: 64, payload: 320 } as const;

/** Simulcast: RFC 8853 and RFC 8851. */
const refused = new Set(['simulcast', 'rid']);

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
    if (name === undefined || refused.has(name)) return false;
    if (isOfPayloadType(name)) {
      const type = line.match(payloadType)?.[1];
      return (
        type !== undefined &&
        take(`${name} ${Number(type)}`, payloadBounds[name]) &&
        take('payload types', sdpBounds.payload)
      );
    }
    return take(name, sdpBounds.attribute);
  };
  // Split at every line end that a browser might recognise, and joined by the standard one.
  return sdp
    .split(/\r\n?|\n/)
    .filter(isAllowed)
    .join('\r\n');
};

const isOfPayloadType = (name: string): name is keyof typeof payloadBounds => Object.hasOwn(payloadBounds, name);
