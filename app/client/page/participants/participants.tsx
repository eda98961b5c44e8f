/** The participants panel: who is waiting, who is in the call, and for hosts the actions on each of them. */
import { useState } from 'preact/hooks';
import type { RemotePeer } from '../../room.ts';
import { nameOf } from '../call/announcements.ts';
import type { CallModel } from '../call/call-model.ts';
import { QualityNumbers } from '../call/quality-badge.tsx';
import { RoomSettings } from '../call/room-settings.tsx';
import { number } from '../i18n/format.ts';
import { words } from '../i18n/i18n.ts';
import { Dialog } from '../ui/dialog.tsx';
import { useFirstFocus } from '../ui/hooks.ts';
import { Icon } from '../ui/icons.tsx';
import { StatusIcon } from '../ui/status-icon.tsx';

const { people } = words;

export const ParticipantsPanel = ({ model, close }: { model: CallModel; close: () => void }) => {
  const heading = useFirstFocus<HTMLHeadingElement>();
  return (
    <section id="people" class="panel" aria-label={people.title}>
      <header class="panel-head">
        <h2 ref={heading} tabIndex={-1}>
          {people.title}
        </h2>
        <button type="button" class="control plain" aria-label={people.close} onClick={close}>
          <Icon name="close" />
        </button>
      </header>
      <div class="panel-body">
        <Waiting model={model} />
        <ul class="people" aria-label={people.list}>
          <Self model={model} />
          {model.peers.map((peer) => (
            <Participant key={peer.id} peer={peer} model={model} />
          ))}
        </ul>
        {model.isHost && <RoomSettings model={model} />}
      </div>
    </section>
  );
};

const Waiting = ({ model }: { model: CallModel }) => {
  const waiting = model.roomState?.waiting ?? [];
  if (waiting.length === 0) return null;
  const admitAll = () => {
    for (const { id } of waiting) void model.decide((room) => room.admit(id));
  };
  return (
    <section class="waiting" aria-labelledby="waiting">
      <h3 id="waiting">
        {people.waiting} ({number(waiting.length)})
      </h3>
      <ul>
        {waiting.map(({ id, name = words.someone, away }) => (
          <li key={id} class="person">
            <span class="person-name">
              <bdi>{name}</bdi>
            </span>
            {away && <span class="tag">{people.away}</span>}
            <button
              type="button"
              class="button small primary"
              aria-label={people.admitNamed(name)}
              onClick={() => void model.decide((room) => room.admit(id))}
            >
              {people.admit}
            </button>
            <button
              type="button"
              class="button small"
              aria-label={people.denyNamed(name)}
              onClick={() => void model.decide((room) => room.deny(id))}
            >
              {people.deny}
            </button>
          </li>
        ))}
      </ul>
      {waiting.length > 1 && (
        <button type="button" class="button small" onClick={admitAll}>
          {people.admitAll}
        </button>
      )}
    </section>
  );
};

const Self = ({ model }: { model: CallModel }) => {
  const { name, devices, isHost } = model;
  const { hand } = model.local;
  return (
    <li class="person">
      <span class="person-name">{name ? words.call.youNamed(name) : words.call.you}</span>
      {isHost && <span class="tag">{people.host}</span>}
      <StatusIcons
        hand={hand}
        audio={devices.state('microphone').state === 'on'}
        video={devices.state('camera').state === 'on'}
      />
    </li>
  );
};

const Participant = ({ peer, model }: { peer: RemotePeer; model: CallModel }) => {
  const [open, setOpen] = useState(false);
  const name = nameOf(peer);
  return (
    <li class="person" data-person={name}>
      <span class="person-name">
        <bdi>{name}</bdi>
      </span>
      {peer.away && <span class="tag">{people.away}</span>}
      {peer.role === 'host' && <span class="tag">{people.host}</span>}
      <StatusIcons hand={peer.hand} {...peer.media} />
      {(model.isHost || peer.quality) && (
        <button
          type="button"
          class="control plain"
          aria-label={model.isHost ? people.actions(name) : people.details(name)}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <Icon name="more" />
        </button>
      )}
      {open && <QualityNumbers quality={peer.quality} />}
      {model.isHost && open && <HostActions peer={peer} model={model} />}
    </li>
  );
};

const HostActions = ({ peer, model }: { peer: RemotePeer; model: CallModel }) => {
  const [kicking, setKicking] = useState(false);
  const { id, media, role } = peer;
  const name = nameOf(peer);
  const confirmation = people.muteSent(name);
  const newRole = role === 'host' ? 'guest' : 'host';
  const requestMute = (kind: 'audio' | 'video' | 'screen') =>
    void model.decide((room) => room.requestMute(id, kind), confirmation);
  return (
    <div class="decisions">
      {media.audio && <ActionButton text={people.mute} onClick={() => requestMute('audio')} />}
      {media.video && !media.screen && <ActionButton text={people.muteCamera} onClick={() => requestMute('video')} />}
      {media.screen && <ActionButton text={people.muteScreen} onClick={() => requestMute('screen')} />}
      <ActionButton
        text={newRole === 'host' ? people.makeHost : people.makeGuest}
        onClick={() => void model.decide((room) => room.setRole(id, newRole))}
      />
      <ActionButton text={people.kick} onClick={() => setKicking(true)} />
      {kicking && <Kick peer={peer} model={model} close={() => setKicking(false)} />}
    </div>
  );
};

const ActionButton = ({ text, onClick }: { text: string; onClick: () => void }) => (
  <button type="button" class="button small" onClick={onClick}>
    {text}
  </button>
);

type KickProps = { peer: RemotePeer; model: CallModel; close: () => void };

const Kick = ({ peer, model, close }: KickProps) => {
  const [ban, setBan] = useState(false);
  const [network, setNetwork] = useState(false);
  const kick = () => {
    void model.decide((room) => room.kick(peer.id, ban, network));
    close();
  };
  return (
    <Dialog title={people.kickTitle(nameOf(peer))} close={close}>
      <p>{people.kickText}</p>
      <label class="option">
        <input type="checkbox" checked={ban} onChange={({ currentTarget }) => setBan(currentTarget.checked)} />
        {people.kickBan}
      </label>
      {ban && (
        <label class="option">
          <input
            type="checkbox"
            checked={network}
            onChange={({ currentTarget }) => setNetwork(currentTarget.checked)}
          />
          {people.kickNetwork}
        </label>
      )}
      <div class="choices">
        <button type="button" class="button danger" onClick={kick}>
          {people.kickDo}
        </button>
        <button type="button" class="button" onClick={close}>
          {words.cancel}
        </button>
      </div>
    </Dialog>
  );
};

const StatusIcons = ({ hand, audio, video }: { hand: boolean; audio: boolean; video: boolean }) => (
  <span class="signs">
    {hand && <StatusIcon name="hand" text={words.tile.hand} />}
    {!audio && <StatusIcon name="microphone-off" text={words.tile.microphoneOff} />}
    {!video && <StatusIcon name="camera-off" text={words.tile.cameraOff} />}
  </span>
);
