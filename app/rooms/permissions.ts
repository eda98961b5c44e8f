/** Permissions: the minimum role for each numbered message. */
import type { Numbered, Role } from '../protocol/messages.ts';

const permissions: Record<Numbered['type'], Role> = {
  signal: 'guest',
  chat: 'guest',
  update: 'guest',
  admit: 'host',
  deny: 'host',
  lock: 'host',
  passcode: 'host',
  role: 'host',
  kick: 'host',
  'mute-request': 'host',
  end: 'host',
};

export const may = (role: Role, type: Numbered['type']): boolean => role === 'host' || permissions[type] === 'guest';
