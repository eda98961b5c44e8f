/** Results for the administrator: of reading settings and of commands. Clients get a `Refusal`. */

/** One sentence for each fault, without a prefix. */
export type Failure = { faults: string[] };

/** The value, or why there is none. */
export type Result<Value extends object = object> = Value | Failure;

export const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));
