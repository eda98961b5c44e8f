/** The call view: tiles, controls, panels and connection status. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { ChatPanel } from '../chat/chat.tsx';
import { delayOf } from '../i18n/error-messages.ts';
import { words } from '../i18n/i18n.ts';
import { WaitingRoom } from '../lobby/waiting-room.tsx';
import { ParticipantsPanel } from '../participants/participants.tsx';
import { useChanges, useFirstFocus, useTitle } from '../ui/hooks.ts';
import type { CallModel, Panel } from './call-model.ts';
import { CallControls } from './controls.tsx';
import { CallDialog, type CallDialogName } from './dialogs.tsx';
import { toggleFullScreen } from './full-screen.ts';
import { Prompts } from './prompts.tsx';
import type { Shortcut } from './shortcuts.ts';
import { Stage } from './stage.tsx';
import { useShortcuts } from './use-shortcuts.ts';

const { call } = words;

type CallProps = { room: string; model: CallModel };

/** The call, or the waiting room before it. */
export const Call = ({ room, model }: CallProps) => {
  useChanges(model);
  useChanges(model.devices);
  if (model.awaitingAdmission) return <WaitingRoom room={room} model={model} problem={problemOf(model)} />;
  return <CallView room={room} model={model} />;
};

const CallView = ({ room, model }: CallProps) => {
  useTitle(titleOf(room, model));
  const heading = useFirstFocus<HTMLHeadingElement>();
  const [dialog, setDialog] = useState<CallDialogName>('none');
  const buttons = { chat: useRef<HTMLButtonElement>(null), people: useRef<HTMLButtonElement>(null) };
  const { panel } = model;
  const previous = useRef<Panel>('none');
  useEffect(() => {
    // After a panel closes, the focus returns to the button that opened it, which a panel hides on phones.
    if (panel === 'none' && previous.current !== 'none') buttons[previous.current].current?.focus();
    previous.current = panel;
  }, [panel]);
  const show = (next: Panel) => model.show(next);
  const toggle = (name: Exclude<Panel, 'none'>) => show(model.panel === name ? 'none' : name);
  useShortcuts(model, (shortcut) => shortcutActions[shortcut](model, toggle, setDialog));
  const keyDown = ({ key, target }: KeyboardEvent) => {
    if (key === 'Escape' && panel !== 'none' && !(target as Element).closest('dialog')) show('none');
  };
  const drop = (event: DragEvent) => {
    if (!hasFiles(event) || !model.transfers.possible) return;
    event.preventDefault();
    show('chat');
    model.sendFiles([...(event.dataTransfer?.files ?? [])]);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape and drag-and-drop are shortcuts; each has a button
    <div class="call" data-panel={panel} onKeyDown={keyDown} onDragOver={allowFiles} onDrop={drop}>
      <main class="stage">
        <h1 ref={heading} class="unseen" tabIndex={-1}>
          {call.title(room)}
        </h1>
        <div class="banner" role="status">
          {problemOf(model)}
        </div>
        <Stage room={room} model={model} />
        <div class="over-stage">
          <Prompts model={model} show={() => show('people')} back={() => heading.current?.focus()} />
          <ToastList model={model} />
        </div>
        <CallControls model={model} buttons={buttons} toggle={toggle} open={setDialog} />
      </main>
      {panel === 'chat' && <ChatPanel model={model} close={() => show('none')} />}
      {panel === 'people' && <ParticipantsPanel model={model} close={() => show('none')} />}
      <CallDialog name={dialog} room={room} model={model} open={setDialog} />
    </div>
  );
};

const hasFiles = ({ dataTransfer }: DragEvent): boolean => dataTransfer?.types.includes('Files') === true;

/** Otherwise the browser would navigate to the dropped file. */
const allowFiles = (event: DragEvent) => hasFiles(event) && event.preventDefault();

type ShortcutAction = (
  model: CallModel,
  toggle: (panel: 'chat' | 'people') => void,
  open: (dialog: CallDialogName) => void,
) => void;

const shortcutActions: Record<Shortcut, ShortcutAction> = {
  microphone: ({ devices }) => void devices.toggle('microphone'),
  camera: ({ devices }) => void devices.toggle('camera'),
  hand: ({ local }) => local.raiseHand(!local.hand),
  screen: ({ local }) => void local.shareScreen(),
  chat: (_, toggle) => toggle('chat'),
  people: (_, toggle) => toggle('people'),
  fullScreen: () => void toggleFullScreen(),
  keys: (_, __, open) => open('keys'),
};

/** What is wrong with the connection to the server, if anything. */
const problemOf = ({ state, everJoined, awaitingAdmission }: CallModel): string | undefined => {
  if (state.state === 'joined' || state.state === 'closed' || state.state === 'waiting') return undefined;
  const delay = state.because && delayOf(state.because);
  if (delay) return delay;
  if (everJoined) return call.reconnecting;
  return state.attempt > 1 || awaitingAdmission ? call.unreachable : call.joining;
};

const ToastList = ({ model }: { model: CallModel }) => (
  <div class="notices" role="status">
    {model.toasts.map(({ key, text, announceOnly }) => (
      <p key={key} class={announceOnly ? 'unseen' : 'notice'}>
        {text}
      </p>
    ))}
  </div>
);

const titleOf = (room: string, { chat: { unread } }: CallModel): string =>
  `${unread > 0 ? `(${unread}) ` : ''}${room} – ${words.product}`;
