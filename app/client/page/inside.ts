/** What is needed once somebody joins; the page fetches it while they are in the lobby. */
export { Call } from './call.tsx';
export { Conversation } from './conversation.ts';
