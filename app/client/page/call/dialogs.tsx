/** The dialogs of a call; at most one is open. */
import { useState } from 'preact/hooks';
import type { Access } from '../../room.ts';
import { DevicePickers } from '../devices/device-pickers.tsx';
import { DeviceProblems } from '../devices/media-toggles.tsx';
import { entryOf } from '../i18n/entry-of.ts';
import { words } from '../i18n/i18n.ts';
import { roomUrl } from '../route.ts';
import { remember } from '../storage.ts';
import { copyText } from '../ui/clipboard.ts';
import { Dialog } from '../ui/dialog.tsx';
import { Icon, type IconName } from '../ui/icons.tsx';
import { Lazy } from '../ui/lazy.tsx';
import type { CallModel } from './call-model.ts';
import { canFillScreen, canFloat, toggleFloating, toggleFullScreen } from './full-screen.ts';
import { choices } from './reactions.ts';
import { canShare } from './screen-share.ts';
import { shortcuts } from './shortcuts.ts';
import { areShortcutsOn } from './use-shortcuts.ts';

export type CallDialogName = 'none' | 'more' | 'invite' | 'devices' | 'keys' | 'leave';
type CommonProps = { room: string; model: CallModel; close: () => void };
type CallDialogProps = Omit<CommonProps, 'close'> & { name: CallDialogName; open: (name: CallDialogName) => void };

export const CallDialog = ({ name, open, ...rest }: CallDialogProps) => {
  const common = { ...rest, close: () => open('none') };
  switch (name) {
    case 'none':
      return null;
    case 'more':
      return <More {...common} open={open} />;
    case 'invite':
      return <Invite {...common} />;
    case 'devices':
      return <DeviceChoice {...common} />;
    case 'keys':
      return <ShortcutHelp close={common.close} />;
    case 'leave':
      return <LeaveConfirmation {...common} />;
    default:
      return name satisfies never;
  }
};

const More = ({ model, close, open }: CommonProps & Pick<CallDialogProps, 'open'>) => {
  const { more } = words;
  const { local } = model;
  const { hand, screen } = local;
  const closeAnd = (action: () => void) => () => {
    close();
    action();
  };
  return (
    <Dialog title={words.call.more} close={close}>
      <fieldset class="reactions" aria-label={more.reactions}>
        {choices.map((text) => (
          <button key={text} type="button" class="control plain" onClick={closeAnd(() => model.react(text))}>
            {text}
          </button>
        ))}
      </fieldset>
      <div class="menu">
        <Item icon="link" text={more.invite} press={() => open('invite')} />
        <Item icon="hand" text={hand ? more.lowerHand : more.hand} press={closeAnd(() => local.raiseHand(!hand))} />
        {canShare() && (
          <Item
            icon="screen"
            text={screen.stream ? words.screen.stop : more.screen}
            press={closeAnd(() => void local.shareScreen())}
          />
        )}
        {canFillScreen() && (
          <Item
            icon="full-screen"
            text={document.fullscreenElement ? more.endFullScreen : more.fullScreen}
            press={closeAnd(() => void toggleFullScreen())}
          />
        )}
        {canFloat() && model.peers.length > 0 && (
          <Item icon="floating" text={more.picture} press={closeAnd(() => void toggleFloating())} />
        )}
        <Item icon="settings" text={more.devices} press={() => open('devices')} />
        <Item icon="keys" text={more.keys} press={() => open('keys')} />
      </div>
    </Dialog>
  );
};

const Item = ({ icon, text, press }: { icon: IconName; text: string; press: () => void }) => (
  <button type="button" class="menu-item" onClick={press}>
    <Icon name={icon} />
    {text}
  </button>
);

const Invite = ({ room, model, close }: CommonProps) => {
  const { invite } = words;
  const url = roomUrl(room, document.baseURI);
  const [outcome, setOutcome] = useState({ text: '', key: 0 });
  const { access = 'open', passcode = false } = model.roomState?.room ?? {};
  const howToJoin: Record<Access, string> = { open: invite.text, knock: invite.knock, locked: invite.locked };
  const copy = async () => {
    const text = (await copyText(url)) ? invite.copied : invite.notCopied;
    setOutcome(({ key }) => ({ text, key: key + 1 }));
  };
  const share = () => void navigator.share({ title: words.product, url }).catch(() => {});
  return (
    <Dialog title={invite.title} close={close}>
      <p>{entryOf(howToJoin, access)}</p>
      {passcode && <p>{invite.passcode}</p>}
      <label class="unseen" for="invite-link">
        {invite.link}
      </label>
      <input
        id="invite-link"
        class="field"
        dir="ltr"
        readOnly
        value={url}
        onFocus={({ currentTarget }) => currentTarget.select()}
      />
      <div class="choices">
        <button type="button" class="button primary" onClick={() => void copy()}>
          <Icon name="link" />
          {invite.copy}
        </button>
        {'share' in navigator && (
          <button type="button" class="button" onClick={share}>
            {invite.share}
          </button>
        )}
        <p class="outcome" role="status">
          {/* A new element, because screen readers do not announce the same text again. */}
          <span key={outcome.key}>{outcome.text}</span>
        </p>
      </div>
      <Lazy
        fetch={async () => (await import('../ui/qr.tsx')).QrCode}
        props={{ text: url, label: invite.qr, hint: invite.qrHint }}
        fallback={<p class="hint">{invite.qrFailed}</p>}
      />
    </Dialog>
  );
};

const DeviceChoice = ({ model, close }: CommonProps) => (
  <Dialog title={words.devices.title} close={close}>
    <DevicePickers devices={model.devices} />
    <DeviceProblems devices={model.devices} />
  </Dialog>
);

const ShortcutHelp = ({ close }: { close: () => void }) => {
  const { keys } = words;
  const [on, setOn] = useState(areShortcutsOn);
  const setEnabled = (next: boolean) => {
    remember('shortcuts', next ? 'on' : 'off');
    setOn(next);
  };
  const rows = [...Object.entries(shortcuts), ['talk', keys.space]] as [keyof typeof keys.what, string][];
  return (
    <Dialog title={keys.title} close={close}>
      <dl class="keys" data-off={!on}>
        {rows.map(([what, key]) => (
          <div key={what}>
            <dt>
              <kbd>{key.length === 1 ? key.toUpperCase() : key}</kbd>
            </dt>
            <dd>{keys.what[what]}</dd>
          </div>
        ))}
      </dl>
      <label class="option">
        <input type="checkbox" checked={on} onChange={({ currentTarget }) => setEnabled(currentTarget.checked)} />
        {keys.on}
      </label>
    </Dialog>
  );
};

const LeaveConfirmation = ({ model, close }: CommonProps) => {
  const { leaving } = words;
  return (
    <Dialog title={leaving.title} close={close}>
      <p>{leaving.text}</p>
      <div class="choices">
        <button type="button" class="button primary" onClick={() => model.leave()}>
          {leaving.leave}
        </button>
        <button type="button" class="button danger" onClick={() => void model.decide((room) => room.end())}>
          {words.room.endDo}
        </button>
        <button type="button" class="button" onClick={close}>
          {leaving.stay}
        </button>
      </div>
    </Dialog>
  );
};
