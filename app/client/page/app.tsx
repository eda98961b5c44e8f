/** Which view is shown, and the ways between them. */
import { useEffect, useRef, useState } from 'preact/hooks';
import type { ErrorCode } from '../genkan.ts';
import { Call } from './call.tsx';
import { Closing } from './closing.tsx';
import { Conversation } from './conversation.ts';
import { Devices } from './devices.ts';
import { Landing } from './landing.tsx';
import { Lobby } from './lobby.tsx';
import { rememberToken } from './memory.ts';
import { newRoomName, roomUrl, routeOf, takeToken } from './route.ts';

type View =
  | { is: 'landing' }
  | { is: 'lobby'; room: string; devices: Devices }
  | { is: 'call'; room: string; conversation: Conversation }
  | { is: 'closing'; room: string; code: ErrorCode };

export const App = () => {
  const [view, setView] = useState<View>(viewOfAddress);
  const shown = useRef(view);

  const show = (next: View) => {
    if (next.is !== 'call' && next.is !== 'closing') close(shown.current);
    shown.current = next;
    setView(next);
  };
  const open = (room: string) => {
    history.pushState(null, '', roomUrl(room, document.baseURI));
    show(lobby(room));
  };
  const join = (room: string, name: string, devices: Devices) => {
    const conversation = new Conversation(room, name, devices);
    conversation.onOver((code) => {
      devices.close();
      if (shown.current.is === 'call') show({ is: 'closing', room, code });
    });
    show({ is: 'call', room, conversation });
  };
  useEffect(() => {
    const back = () => show(viewOfAddress());
    addEventListener('popstate', back);
    return () => removeEventListener('popstate', back);
  }, []);

  switch (view.is) {
    case 'landing':
      return <Landing open={open} />;
    case 'lobby':
      return <Lobby {...view} key={view.room} join={(name) => join(view.room, name, view.devices)} />;
    case 'call':
      return <Call {...view} />;
    case 'closing':
      return <Closing code={view.code} again={() => show(lobby(view.room))} newRoom={() => open(newRoomName())} />;
    default:
      return view satisfies never;
  }
};

const lobby = (room: string): View => {
  const devices = new Devices();
  void devices.start();
  return { is: 'lobby', room, devices };
};

const viewOfAddress = (): View => {
  const route = routeOf(location.href, document.baseURI);
  const taken = takeToken(location.href);
  // Whoever looks at the address bar, or copies from it, does not get the token.
  if (taken) history.replaceState(history.state, '', taken.shown);
  if (taken && route.is === 'room') rememberToken(route.room, taken.token);
  if (route.is === 'room') return lobby(route.room);
  return route.is === 'bad-room' ? { is: 'closing', room: '', code: 'bad-room-name' } : { is: 'landing' };
};

/** What a view holds is given back when another place is opened. */
const close = (view: View): void => {
  if (view.is === 'lobby') view.devices.close();
  if (view.is === 'call') view.conversation.leave();
};
