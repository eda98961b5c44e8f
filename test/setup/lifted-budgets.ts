/** Flags for tests and benchmarks that send everything from one address, or by one seat, and do not test budgets. */

const plenty = {
  'message-rate': 1_000_000,
  'message-burst': 10_000_000,
  'byte-rate': 1_000_000_000,
  'byte-burst': 1_000_000_000,
};
const ofAddresses = {
  'join-rate': 1_000_000,
  'join-burst': 1_000_000,
  'resume-rate': 1_000_000,
  'resume-burst': 1_000_000,
  'seat-resume-rate': 1_000_000,
  'seat-resume-burst': 1_000_000,
  'refusal-rate': 1_000_000,
  'refusal-burst': 1_000_000,
  'hash-rate': 1_000_000,
  'hash-burst': 1_000_000,
  'address-message-rate': 10_000_000,
  'address-message-burst': 10_000_000,
  'address-byte-rate': 1_000_000_000,
  'address-byte-burst': 1_000_000_000,
  'replay-rate': 1_000_000_000,
  'replay-burst': 1_000_000_000,
  'max-rooms-per-address': 1_000_000,
  'max-seats-per-address': 1_000_000,
  'max-connections-per-address': 1_000_000,
  'max-unsent-bytes-per-address': 1_099_511_627_776,
};

export const flagsOf = (settings: Record<string, number | string>): string[] =>
  Object.entries(settings).flatMap(([name, value]) => [`--${name}`, `${value}`]);

/** Many peers may use one address; each seat has its usual budget. */
export const addressBudgetsLifted = flagsOf(ofAddresses);
/** No limit on what is sent. */
export const budgetsLifted = flagsOf({ ...plenty, ...ofAddresses });
