/** What a command prints, and its exit code. */
import type { Failure } from '../config/result.ts';

/** Text for stdout with exit code 0, or 1 for a negative finding; or faults with exit code 1 (failed) or 2 (bad arguments, the default). */
export type CommandResult = { text: string; code?: 0 | 1 } | (Failure & { code?: 1 | 2 });
