/** The signals between the two ends of a link. The server relays them unread, so they are validated here. */

export type Description = { type: RTCSdpType; sdp: string };
/** `restart`: asks the other side to restart ICE. */
export type Negotiable = { description: Description } | { candidate: RTCIceCandidateInit } | { restart: true };

/**
 * The `data` of this library's signals. `link` is the generation, from 1. `renew` asks the initiator for the next one. `keep`, from the
 * initiator of a new epoch: the existing connection is kept and no offer will follow.
 */
export type LinkSignal = { link: number } & (Negotiable | { renew: true } | { keep: true });

/**
 * Limits of a signal: characters of an SDP, its media sections, candidates of one ICE gathering, and characters of each string in a
 * candidate. Chromium's first offer has 5 500 characters and three sections; four interfaces with IPv4 and IPv6, a STUN server and
 * three TURN URLs produce 44 candidates. On an idle machine 64 block Chromium's page for 0.1 s, 600 for 2 s.
 */
export const bounds = { sdp: 32_768, sections: 8, candidates: 64, text: 1_024 } as const;

export const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Extracts the known fields of a signal from a peer's data; undefined if it is invalid or exceeds the limits. */
export const readSignal = (data: unknown): LinkSignal | undefined => {
  if (!isObject(data) || !isGeneration(data.link)) return undefined;
  const { link, description, candidate } = data;
  if (isDescription(description)) return { link, description: { type: description.type, sdp: description.sdp } };
  if (isCandidate(candidate)) {
    const { sdpMid, sdpMLineIndex, usernameFragment } = candidate;
    const fields = { candidate: candidate.candidate, sdpMid, sdpMLineIndex, usernameFragment };
    return { link, candidate: fields as RTCIceCandidateInit };
  }
  for (const flag of ['restart', 'renew', 'keep']) if (data[flag] === true) return { link, [flag]: true } as LinkSignal;
  return undefined;
};

export const isOffer = (signal: LinkSignal): boolean => 'description' in signal && signal.description.type === 'offer';

const isGeneration = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) > 0;

const isDescription = (value: unknown): value is Description =>
  isObject(value) &&
  (value.type === 'offer' || value.type === 'answer') &&
  typeof value.sdp === 'string' &&
  value.sdp.length <= bounds.sdp &&
  (value.sdp.match(/^m=/gm) ?? []).length <= bounds.sections;

const isCandidate = (value: unknown): value is RTCIceCandidateInit =>
  isObject(value) &&
  [value.candidate, value.sdpMid, value.usernameFragment].every(isShort) &&
  Number.isInteger(value.sdpMLineIndex ?? 0);

const isShort = (value: unknown): boolean =>
  (value ?? undefined) === undefined || (typeof value === 'string' && value.length <= bounds.text);
