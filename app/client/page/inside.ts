/**
 * What is needed once somebody joins; the page fetches it while they are in the lobby. The connection check is with it, because it is
 * asked for when nothing can be fetched any more.
 */
export { Call } from './call.tsx';
export { ConnectionCheck } from './check.tsx';
export { Conversation } from './conversation.ts';
export { warmUp } from './warm-up.ts';
