/** The panel of people: who waits, who is here, and, for hosts, what can be decided about each of them. */
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

export const ParticipantsPanel = ({ conversation, close }: { conversation: CallModel; close: () => void }) => {
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
        <Waiting conversation={conversation} />
        <ul class="people" aria-label={people.list}>
          <Own conversation={conversation} />
          {conversation.peers.map((peer) => (
            <Other key={peer.id} peer={peer} conversation={conversation} />
          ))}
        </ul>
        {conversation.isHost && <RoomSettings conversation={conversation} />}
      </div>
    </section>
  );
};

const Waiting = ({ conversation }: { conversation: CallModel }) => {
  const waiting = conversation.roomState?.waiting ?? [];
  if (waiting.length === 0) return null;
  const admitAll = () => {
    for (const { id } of waiting) void conversation.decide((room) => room.admit(id));
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
              onClick={() => void conversation.decide((room) => room.admit(id))}
            >
              {people.admit}
            </button>
            <button
              type="button"
              class="button small"
              aria-label={people.denyNamed(name)}
              onClick={() => void conversation.decide((room) => room.deny(id))}
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

const Own = ({ conversation }: { conversation: CallModel }) => {
  const { name, devices, isHost } = conversation;
  const { hand } = conversation.own;
  return (
    <li class="person">
      <span class="person-name">{name ? words.call.youNamed(name) : words.call.you}</span>
      {isHost && <span class="tag">{people.host}</span>}
      <Signs hand={hand} audio={devices.state('microphone').is === 'on'} video={devices.state('camera').is === 'on'} />
    </li>
  );
};

const Other = ({ peer, conversation }: { peer: RemotePeer; conversation: CallModel }) => {
  const [open, setOpen] = useState(false);
  const name = nameOf(peer);
  return (
    <li class="person" data-person={name}>
      <span class="person-name">
        <bdi>{name}</bdi>
      </span>
      {peer.away && <span class="tag">{people.away}</span>}
      {peer.role === 'host' && <span class="tag">{people.host}</span>}
      <Signs hand={peer.hand} {...peer.media} />
      {(conversation.isHost || peer.quality) && (
        <button
          type="button"
          class="control plain"
          aria-label={conversation.isHost ? people.actions(name) : people.details(name)}
          aria-expanded={open}
          onClick={() => setOpen(!open)}
        >
          <Icon name="more" />
        </button>
      )}
      {open && <QualityNumbers quality={peer.quality} />}
      {conversation.isHost && open && <Decisions peer={peer} conversation={conversation} />}
    </li>
  );
};

const Decisions = ({ peer, conversation }: { peer: RemotePeer; conversation: CallModel }) => {
  const [kicking, setKicking] = useState(false);
  const { id, media, role } = peer;
  const name = nameOf(peer);
  const sent = people.muteSent(name);
  const other = role === 'host' ? 'guest' : 'host';
  const ask = (kind: 'audio' | 'video' | 'screen') =>
    void conversation.decide((room) => room.requestMute(id, kind), sent);
  return (
    <div class="decisions">
      {media.audio && <Deed text={people.mute} act={() => ask('audio')} />}
      {media.video && !media.screen && <Deed text={people.muteCamera} act={() => ask('video')} />}
      {media.screen && <Deed text={people.muteScreen} act={() => ask('screen')} />}
      <Deed
        text={other === 'host' ? people.makeHost : people.makeGuest}
        act={() => void conversation.decide((room) => room.setRole(id, other))}
      />
      <Deed text={people.kick} act={() => setKicking(true)} />
      {kicking && <Kick peer={peer} conversation={conversation} close={() => setKicking(false)} />}
    </div>
  );
};

const Deed = ({ text, act }: { text: string; act: () => void }) => (
  <button type="button" class="button small" onClick={act}>
    {text}
  </button>
);

type KickProps = { peer: RemotePeer; conversation: CallModel; close: () => void };

const Kick = ({ peer, conversation, close }: KickProps) => {
  const [ban, setBan] = useState(false);
  const [network, setNetwork] = useState(false);
  const kick = () => {
    void conversation.decide((room) => room.kick(peer.id, ban, network));
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

const Signs = ({ hand, audio, video }: { hand: boolean; audio: boolean; video: boolean }) => (
  <span class="signs">
    {hand && <StatusIcon name="hand" text={words.tile.hand} />}
    {!audio && <StatusIcon name="microphone-off" text={words.tile.microphoneOff} />}
    {!video && <StatusIcon name="camera-off" text={words.tile.cameraOff} />}
  </span>
);
