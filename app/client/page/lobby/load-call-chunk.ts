/** Loads the chunk that is needed for a call. */
export type CallChunk = typeof import('./call-chunk.ts');

/** Undefined until loaded. */
export let callChunk: CallChunk | undefined;

/** @throws if the server cannot be reached, or was upgraded and no longer has this build */
export const loadCallChunk = async (): Promise<CallChunk> => {
  callChunk ??= await import('./call-chunk.ts');
  return callChunk;
};
