/** Every attack by its name, in the order of the table. */
import { connectionAttacks } from './attacks/connections.ts';
import { entranceAttacks } from './attacks/entrances.ts';
import { messageAttacks } from './attacks/messages.ts';
import { roomAttacks } from './attacks/rooms.ts';
import type { Attack } from './hands.ts';

export const attacks: Record<string, Attack> = {
  ...roomAttacks,
  ...entranceAttacks,
  ...messageAttacks,
  ...connectionAttacks,
};
