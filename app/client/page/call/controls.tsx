/** The buttons below a call. */
import type { RefObject } from 'preact';
import { MediaToggles } from '../devices/media-toggles.tsx';
import { number } from '../i18n/format.ts';
import { words } from '../i18n/i18n.ts';
import { Icon, type IconName } from '../ui/icons.tsx';
import type { CallModel } from './call-model.ts';
import type { CallDialogName } from './dialogs.tsx';
import { canShare } from './screen-share.ts';
import { type Shortcut, shortcuts } from './shortcuts.ts';

const { call } = words;

type CallControlsProps = {
  model: CallModel;
  buttons: Record<'chat' | 'people', RefObject<HTMLButtonElement | null>>;
  toggle: (panel: 'chat' | 'people') => void;
  open: (dialog: CallDialogName) => void;
};

export const CallControls = ({ model, buttons, toggle, open }: CallControlsProps) => {
  const { peers, isHost, local, panel, roomState } = model;
  const { unread } = model.chat;
  const { hand, screen } = local;
  const sharing = screen.stream !== null;
  const waiting = roomState?.waiting.length ?? 0;
  const leave = () => {
    const onlyHost = isHost && peers.length > 0 && peers.every(({ role }) => role === 'guest');
    if (onlyHost) open('leave');
    else model.leave();
  };
  return (
    <fieldset class="controls" aria-label={call.controls}>
      <MediaToggles devices={model.devices} withKeys />
      {canShare() && (
        <Control
          icon="screen"
          text={call.screen}
          shortcut="screen"
          wide
          pressed={sharing}
          press={() => void local.shareScreen()}
        />
      )}
      <Control icon="hand" text={call.hand} shortcut="hand" wide pressed={hand} press={() => local.raiseHand(!hand)} />
      <Control
        icon="chat"
        text={call.chat}
        name={unread === 0 ? call.chat : words.also(call.chat, call.unread(unread))}
        shortcut="chat"
        button={buttons.chat}
        panel="chat"
        expanded={panel === 'chat'}
        count={unread}
        press={() => toggle('chat')}
      />
      <Control
        icon="people"
        text={call.everyone}
        name={waiting === 0 ? call.everyone : words.also(call.everyone, words.people.waitingCount(waiting))}
        shortcut="people"
        button={buttons.people}
        panel="people"
        expanded={panel === 'people'}
        count={waiting}
        press={() => toggle('people')}
      />
      <Control icon="more" text={call.more} press={() => open('more')} />
      <button type="button" class="control danger" title={call.leave} onClick={leave}>
        <Icon name="leave" />
        <span class="control-label">{call.leave}</span>
      </button>
    </fieldset>
  );
};

type ControlProps = {
  icon: IconName;
  text: string;
  /** The accessible name, where it says more than the text. */
  name?: string;
  shortcut?: Shortcut;
  /** Hidden where there is little space; the menu has it too. */
  wide?: boolean;
  pressed?: boolean;
  expanded?: boolean;
  panel?: string;
  count?: number;
  button?: RefObject<HTMLButtonElement | null>;
  press: () => void;
};

const Control = (props: ControlProps) => {
  const { icon, text, name = text, shortcut, wide = false, pressed, expanded, panel, count = 0, button, press } = props;
  const key = shortcut && shortcuts[shortcut];
  return (
    <button
      {...(button ? { ref: button } : {})}
      type="button"
      class={wide ? 'control wide-only' : 'control'}
      title={key ? `${text} (${key})` : text}
      aria-label={name}
      aria-keyshortcuts={key}
      aria-pressed={pressed}
      aria-expanded={expanded}
      aria-controls={expanded ? panel : undefined}
      data-toggle={pressed}
      onClick={press}
    >
      <Icon name={icon} />
      <span class="control-label">{text}</span>
      {count > 0 && <span class="badge" data-count={count > 99 ? `${number(99)}+` : number(count)} />}
    </button>
  );
};
