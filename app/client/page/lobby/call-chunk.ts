/**
 * The chunk needed for joining, loaded while the user is in the lobby. It includes the connection check, which is opened when nothing
 * more can be loaded.
 */
export { Call } from '../call/call.tsx';
export { CallModel } from '../call/call-model.ts';
export { warmUp } from '../call/warm-up.ts';
export { ConnectionCheck } from './connection-check.tsx';
