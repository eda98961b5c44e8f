/** Loads the chunk that is needed for a call. */
export type CallChunk = typeof import('./call-chunk.ts');

/** Undefined until loaded. */
export let inside: CallChunk | undefined;

/** @throws if the server cannot be reached, or was upgraded and no longer has this build */
export const loadCallChunk = async (): Promise<CallChunk> => {
  inside ??= await import('./call-chunk.ts');
  return inside;
};
