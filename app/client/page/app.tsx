/** Which view is shown, and the ways between them. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ErrorCode } from '../room.ts';
import { CallEnded, OutdatedPage } from './call/call-ended.tsx';
import type { CallModel, CallOptions, ChatEntry } from './call/call-model.ts';
import { Devices, type Kind } from './devices/devices.ts';
import { speech, words } from './i18n/i18n.ts';
import { Landing } from './lobby/landing.tsx';
import { Lobby } from './lobby/lobby.tsx';
import { PasscodeNeeded } from './lobby/passcode.tsx';
import { newRoomName, roomUrl, routeOf, takeToken } from './route.ts';
import { rememberToken, takeSeat } from './storage.ts';
import { useChanges } from './ui/hooks.ts';
import { type CallChunk, inside, loadCallChunk } from './ui/lazy.tsx';

type View =
  | { is: 'landing' }
  | { is: 'lobby'; room: string; devices: Devices; wishes: CallOptions | undefined }
  | { is: 'entering'; entry: ChatEntry }
  | { is: 'call'; entry: ChatEntry; conversation: CallModel; Call: CallChunk['Call'] }
  | { is: 'passcode'; entry: ChatEntry; wrong: boolean }
  | { is: 'closing'; room: string; code: ErrorCode }
  | { is: 'outdated' };

export const App = () => {
  useChanges(speech);
  const [view, setView] = useState<View>(viewOfAddress);
  const shown = useRef(view);

  const show = (next: View) => {
    if (next.is === 'landing' || next.is === 'lobby') close(shown.current);
    shown.current = next;
    if (next.is === 'call') void next.conversation.begun.then(() => shown.current === next && setView(next));
    else setView(next);
  };
  const open = (room: string, wishes?: CallOptions) => {
    // Kept with the address, so that a room is opened as it was wished for even if the page is loaded again before that.
    history.pushState(wishes && { wishes }, '', roomUrl(room, document.baseURI));
    show(lobby(room, wishes));
  };
  /** Until the call is shown, what was there can be clicked on once more. */
  const enter = (entry: ChatEntry) => shown.current === view && show(entering(entry));
  useEffect(() => {
    const back = () => show(viewOfAddress());
    addEventListener('popstate', back);
    return () => removeEventListener('popstate', back);
  }, []);
  useEffect(() => {
    if (view.is === 'lobby')
      void loadCallChunk()
        .then(({ warmUp }) => warmUp())
        .catch(() => {});
    if (view.is !== 'entering') return;
    const { entry } = view;
    const become = (next: View) => shown.current === view && show(next);
    loadCallChunk().then(
      (fetched) => become(call(entry, fetched)),
      () => {
        entry.devices.close();
        become({ is: 'outdated' });
      },
    );
  }, [view]);
  useLayoutEffect(() => {
    if (view.is !== 'call') return;
    const { entry, conversation } = view;
    return conversation.onOver((code) => {
      const passcode = !conversation.everJoined && (code === 'passcode-needed' || code === 'wrong-passcode');
      if (!passcode) entry.devices.close();
      if (shown.current.is !== 'call') return;
      if (passcode) show({ is: 'passcode', entry, wrong: code === 'wrong-passcode' });
      else show({ is: 'closing', room: entry.room, code });
    });
  }, [view]);

  switch (view.is) {
    case 'landing':
      return <Landing open={open} />;
    case 'lobby':
      return <Lobby {...view} key={view.room} join={(name) => enter({ ...view, name })} />;
    case 'entering':
      return <Entering />;
    case 'call':
      return <view.Call room={view.entry.room} conversation={view.conversation} />;
    case 'passcode':
      return (
        <PasscodeNeeded
          wrong={view.wrong}
          enter={(passcode) => enter({ ...view.entry, passcode })}
          back={() => show(lobby(view.entry.room))}
        />
      );
    case 'closing':
      return <CallEnded code={view.code} again={() => show(lobby(view.room))} newRoom={() => open(newRoomName())} />;
    case 'outdated':
      return <OutdatedPage />;
    default:
      return view satisfies never;
  }
};

const Entering = () => (
  <main class="card">
    <h1 class="unseen">{words.product}</h1>
    <p class="lead" role="status">
      {words.call.joining}
    </p>
  </main>
);

const lobby = (room: string, wishes?: CallOptions): View => {
  const devices = new Devices();
  void devices.start();
  return { is: 'lobby', room, devices, wishes };
};

/** At once, where what is needed for it was fetched. */
const entering = (entry: ChatEntry): View => (inside ? call(entry, inside) : { is: 'entering', entry });

const call = (entry: ChatEntry, { Call, CallModel }: CallChunk): View => ({
  is: 'call',
  entry,
  conversation: new CallModel(entry),
  Call,
});

const viewOfAddress = (): View => {
  const route = routeOf(location.href, document.baseURI);
  const taken = takeToken(location.href);
  // Whoever looks at the address bar, or copies from it, does not get the token.
  if (taken) history.replaceState(history.state, '', taken.shown);
  if (taken && route.is === 'room') rememberToken(route.room, taken.token);
  if (route.is === 'room') return arrival(route.room);
  return route.is === 'bad-room' ? { is: 'closing', room: '', code: 'bad-room-name' } : { is: 'landing' };
};

/** A page that was loaded again in mid-call goes on where it was, with the devices that were on. */
const arrival = (room: string): View => {
  const seat = takeSeat(room);
  if (!seat) return lobby(room, history.state?.wishes);
  const devices = new Devices();
  const entry = { room, name: seat.name, devices, seat };
  void devices.start((['microphone', 'camera'] as Kind[]).filter((kind) => seat[kind]));
  return entering(entry);
};

/** What a view holds is given back when another place is opened. */
const close = (view: View): void => {
  if (view.is === 'lobby') view.devices.close();
  if (view.is === 'passcode' || view.is === 'entering') view.entry.devices.close();
  if (view.is === 'call') view.conversation.leave();
};
