/**
 * What is needed once somebody joins; the page fetches it while they are in the lobby. The connection check is with it, because it is
 * asked for when nothing can be fetched any more.
 */
export { Call } from '../call/call.tsx';
export { CallModel } from '../call/call-model.ts';
export { warmUp } from '../call/warm-up.ts';
export { ConnectionCheck } from './connection-check.tsx';
