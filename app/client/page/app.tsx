/** The views of the page and the transitions between them. */
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { ErrorCode } from '../room.ts';
import { CallEnded, OutdatedPage } from './call/call-ended.tsx';
import type { CallModel, CallOptions, JoinParameters } from './call/call-model.ts';
import { type DeviceKind, Devices } from './devices/devices.ts';
import { speech, words } from './i18n/i18n.ts';
import { createRoom } from './lobby/create-room.ts';
import { Landing } from './lobby/landing.tsx';
import { type CallChunk, callChunk, loadCallChunk } from './lobby/load-call-chunk.ts';
import { Lobby } from './lobby/lobby.tsx';
import { PasscodeNeeded } from './lobby/passcode.tsx';
import { newRoomName, roomUrl, routeOf, takeToken } from './route.ts';
import { rememberToken, takeCreated, takeSeat } from './storage.ts';
import { useChanges } from './ui/hooks.ts';

type View =
  | { state: 'landing' }
  | { state: 'lobby'; room: string; devices: Devices; options: CallOptions | undefined }
  | { state: 'joining'; entry: JoinParameters }
  | { state: 'call'; entry: JoinParameters; model: CallModel; Call: CallChunk['Call'] }
  | { state: 'passcode'; entry: JoinParameters; wrong: boolean }
  | { state: 'ended'; room: string; code: ErrorCode }
  | { state: 'outdated' };

export const App = () => {
  useChanges(speech);
  const [view, setView] = useState<View>(viewOfAddress);
  const shown = useRef(view);
  const creating = useRef(false);

  const show = (next: View) => {
    const previous = shown.current;
    shown.current = next;
    release(previous, next);
    if (next.state === 'call') void next.model.ready.then(() => shown.current === next && setView(next));
    else setView(next);
  };
  const open = (room: string, options?: CallOptions) => {
    // In history.state, so that the options of a new room survive a reload before joining.
    history.pushState(options && { wishes: options }, '', roomUrl(room, document.baseURI));
    show(lobby(room, options));
  };
  /** Creates the room first: a reload of the lobby would lose the response, and with it the host. Ignores further clicks meanwhile. */
  const openNew = async (options: CallOptions) => {
    if (creating.current) return;
    creating.current = true;
    const room = newRoomName();
    await createRoom(room, options);
    creating.current = false;
    if (shown.current === view) open(room, options);
  };
  /** Ignores further clicks: the previous view stays until the call is shown. */
  const join = (entry: JoinParameters) =>
    shown.current === view && show(joining({ session: takeCreated(entry.room), ...entry }));
  useEffect(() => {
    const back = () => show(viewOfAddress());
    addEventListener('popstate', back);
    return () => removeEventListener('popstate', back);
  }, []);
  useEffect(() => {
    if (view.state === 'lobby')
      void loadCallChunk()
        .then(({ warmUp }) => warmUp())
        .catch(() => {});
    if (view.state !== 'joining') return;
    const { entry } = view;
    // Only if it is still wanted: a call joins the room as soon as it is created.
    const showNext = (next: () => View) => shown.current === view && show(next());
    loadCallChunk().then(
      (chunk) => showNext(() => call(entry, chunk)),
      () => showNext(() => ({ state: 'outdated' })),
    );
  }, [view]);
  useLayoutEffect(() => {
    if (view.state !== 'call') return;
    const { entry, model } = view;
    return model.onOver((code) => {
      if (shown.current !== view) return;
      const needsPasscode = !model.everJoined && (code === 'passcode-needed' || code === 'wrong-passcode');
      if (needsPasscode) show({ state: 'passcode', entry, wrong: code === 'wrong-passcode' });
      else show({ state: 'ended', room: entry.room, code });
    });
  }, [view]);

  switch (view.state) {
    case 'landing':
      return <Landing open={open} openNew={openNew} />;
    case 'lobby':
      return <Lobby {...view} key={view.room} join={(name) => join({ ...view, name })} />;
    case 'joining':
      return <Joining />;
    case 'call':
      return <view.Call room={view.entry.room} model={view.model} />;
    case 'passcode':
      return (
        <PasscodeNeeded
          wrong={view.wrong}
          join={(passcode) => join({ ...view.entry, passcode })}
          back={() => show(lobby(view.entry.room))}
        />
      );
    case 'ended':
      return (
        <CallEnded
          code={view.code}
          again={() => show(lobby(view.room))}
          newRoom={() => void openNew({ access: 'open', passcode: '' })}
        />
      );
    case 'outdated':
      return <OutdatedPage />;
    default:
      return view satisfies never;
  }
};

const Joining = () => (
  <main class="card">
    <h1 class="unseen">{words.product}</h1>
    <p class="lead" role="status">
      {words.call.joining}
    </p>
  </main>
);

const lobby = (room: string, options?: CallOptions): View => {
  const devices = new Devices();
  void devices.start();
  return { state: 'lobby', room, devices, options };
};

/** Shows the call at once if its chunk is loaded. */
const joining = (entry: JoinParameters): View => (callChunk ? call(entry, callChunk) : { state: 'joining', entry });

const call = (entry: JoinParameters, { Call, CallModel }: CallChunk): View => ({
  state: 'call',
  entry,
  model: new CallModel(entry),
  Call,
});

const viewOfAddress = (): View => {
  const route = routeOf(location.href, document.baseURI);
  const fromUrl = takeToken(location.href);
  // Keeps the token out of the address bar and of copied links.
  if (fromUrl) history.replaceState(history.state, '', fromUrl.shown);
  if (fromUrl && route.type === 'room') rememberToken(route.room, fromUrl.token);
  if (route.type === 'room') return viewOfRoom(route.room);
  return route.type === 'bad-room' ? { state: 'ended', room: '', code: 'bad-room-name' } : { state: 'landing' };
};

/** A page reloaded during a call resumes it, with the devices that were on. */
const viewOfRoom = (room: string): View => {
  const seat = takeSeat(room);
  if (!seat) return lobby(room, history.state?.wishes);
  const devices = new Devices();
  const entry = { room, name: seat.name, devices, seat };
  void devices.start((['microphone', 'camera'] as DeviceKind[]).filter((kind) => seat[kind]));
  return joining(entry);
};

/** Leaves the call of the view that is replaced, and releases its devices unless the next view uses them. */
const release = (view: View, next: View): void => {
  if (view.state === 'call') view.model.leave();
  const devices = devicesOf(view);
  if (devices !== devicesOf(next)) devices?.close();
};

const devicesOf = (view: View): Devices | undefined => {
  if ('devices' in view) return view.devices;
  return 'entry' in view ? view.entry.devices : undefined;
};
