/** The call: everyone's tiles, the controls, the panels, and what there is to say about the connection. */
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

type CallProps = { room: string; conversation: CallModel };

/** The call, or the door before it. */
export const Call = ({ room, conversation }: CallProps) => {
  useChanges(conversation);
  useChanges(conversation.devices);
  if (conversation.atDoor)
    return <WaitingRoom room={room} conversation={conversation} trouble={troubleOf(conversation)} />;
  return <Inside room={room} conversation={conversation} />;
};

const Inside = ({ room, conversation }: CallProps) => {
  useTitle(titleOf(room, conversation));
  const heading = useFirstFocus<HTMLHeadingElement>();
  const [dialog, setDialog] = useState<CallDialogName>('none');
  const buttons = { chat: useRef<HTMLButtonElement>(null), people: useRef<HTMLButtonElement>(null) };
  const { panel } = conversation;
  const before = useRef<Panel>('none');
  useEffect(() => {
    // Whoever closes a panel goes on at the button that opened it, which on a phone was hidden until now.
    if (panel === 'none' && before.current !== 'none') buttons[before.current].current?.focus();
    before.current = panel;
  }, [panel]);
  const show = (next: Panel) => conversation.show(next);
  const toggle = (which: Exclude<Panel, 'none'>) => show(conversation.panel === which ? 'none' : which);
  useShortcuts(conversation, (shortcut) => shortcutActs[shortcut](conversation, toggle, setDialog));
  const keyDown = ({ key, target }: KeyboardEvent) => {
    if (key === 'Escape' && panel !== 'none' && !(target as Element).closest('dialog')) show('none');
  };
  const drop = (event: DragEvent) => {
    if (!hasFiles(event) || !conversation.shares.possible) return;
    event.preventDefault();
    show('chat');
    conversation.send([...(event.dataTransfer?.files ?? [])]);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape and dropping are short-cuts; for each there is a button
    <div class="call" data-panel={panel} onKeyDown={keyDown} onDragOver={allowFiles} onDrop={drop}>
      <main class="stage">
        <h1 ref={heading} class="unseen" tabIndex={-1}>
          {call.title(room)}
        </h1>
        <div class="banner" role="status">
          {troubleOf(conversation)}
        </div>
        <Stage room={room} conversation={conversation} />
        <div class="over-stage">
          <Prompts conversation={conversation} show={() => show('people')} back={() => heading.current?.focus()} />
          <Notices conversation={conversation} />
        </div>
        <CallControls conversation={conversation} buttons={buttons} toggle={toggle} open={setDialog} />
      </main>
      {panel === 'chat' && <ChatPanel conversation={conversation} close={() => show('none')} />}
      {panel === 'people' && <ParticipantsPanel conversation={conversation} close={() => show('none')} />}
      <CallDialog name={dialog} room={room} conversation={conversation} open={setDialog} />
    </div>
  );
};

const hasFiles = ({ dataTransfer }: DragEvent): boolean => dataTransfer?.types.includes('Files') === true;

/** Without this the browser would leave the call to show the file. */
const allowFiles = (event: DragEvent) => hasFiles(event) && event.preventDefault();

type Act = (
  conversation: CallModel,
  toggle: (panel: 'chat' | 'people') => void,
  open: (dialog: CallDialogName) => void,
) => void;

const shortcutActs: Record<Shortcut, Act> = {
  microphone: ({ devices }) => void devices.toggle('microphone'),
  camera: ({ devices }) => void devices.toggle('camera'),
  hand: ({ own }) => own.raiseHand(!own.hand),
  screen: ({ own }) => void own.shareScreen(),
  chat: (_, toggle) => toggle('chat'),
  people: (_, toggle) => toggle('people'),
  fullScreen: () => void toggleFullScreen(),
  keys: (_, __, open) => open('keys'),
};

/** What is wrong with the way to the server, if anything. */
const troubleOf = ({ state, everJoined, atDoor }: CallModel): string | undefined => {
  if (state.is === 'joined' || state.is === 'closed' || state.is === 'waiting') return undefined;
  const delay = state.because && delayOf(state.because);
  if (delay) return delay;
  if (everJoined) return call.reconnecting;
  return state.attempt > 1 || atDoor ? call.unreachable : call.joining;
};

const Notices = ({ conversation }: { conversation: CallModel }) => (
  <div class="notices" role="status">
    {conversation.notices.map(({ key, text, heard }) => (
      <p key={key} class={heard ? 'unseen' : 'notice'}>
        {text}
      </p>
    ))}
  </div>
);

const titleOf = (room: string, { unread }: CallModel): string =>
  `${unread > 0 ? `(${unread}) ` : ''}${room} – ${words.product}`;
