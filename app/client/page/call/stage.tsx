/** The tiles of a call: all the same size, or one large and the others next to it. */
import { useState } from 'preact/hooks';
import { entryOf } from '../i18n/entry-of.ts';
import { words } from '../i18n/i18n.ts';
import { roomUrl } from '../route.ts';
import { copyText } from '../ui/clipboard.ts';
import { Icon } from '../ui/icons.tsx';
import type { CallModel } from './call-model.ts';
import { Grid } from './grid.tsx';
import { OwnTile, PeerTile } from './tile.tsx';
import { useActiveSpeaker } from './use-active-speaker.ts';

const { call } = words;

export const Stage = ({ room, model }: { room: string; model: CallModel }) => {
  const [blocked, setBlocked] = useState<(() => void)[]>([]);
  const [pinned, setPinned] = useState<string>();
  const { peers, devices } = model;
  const speaking = useActiveSpeaker(model);
  const alone = peers.length === 0 && model.state.state === 'joined';
  // A shared screen is large, unless the user has pinned another tile.
  const main = (peers.find(({ id }) => id === pinned) ?? peers.find(({ media }) => media.screen))?.id;
  const access = model.roomState?.room.access ?? 'open';
  const badge = entryOf<string>(call.badge, access);
  return (
    <div class="tiles">
      <Grid count={peers.length + (alone ? 2 : 1)} main={main !== undefined}>
        {peers.map((peer) => (
          <PeerTile
            key={peer.id}
            peer={peer}
            reaction={model.reactions.of(peer.id)}
            speaker={devices.speaker}
            speaking={speaking === peer.id}
            main={main === peer.id}
            canPin={peers.length > 1 || main !== undefined}
            pin={() => setPinned(pinned === peer.id ? undefined : peer.id)}
            pinned={pinned === peer.id}
            retry={() => model.retry(peer.id)}
            onBlocked={(play) => setBlocked((others) => [...others, play])}
          />
        ))}
        <OwnTile key="own" model={model} />
        {alone && <Invitation key="invitation" room={room} model={model} />}
      </Grid>
      {badge && (
        <p class="access-badge">
          <Icon name={access === 'locked' ? 'lock' : 'gate'} />
          {badge}
        </p>
      )}
      {blocked.length > 0 && (
        <button
          type="button"
          class="unblock"
          onClick={() => {
            for (const play of blocked) play();
            setBlocked([]);
          }}
        >
          <span class="button primary">{call.blocked}</span>
        </button>
      )}
    </div>
  );
};

const Invitation = ({ room, model }: { room: string; model: CallModel }) => {
  const copy = async () => {
    const copied = await copyText(roomUrl(room, document.baseURI));
    model.announce(copied ? words.invite.copied : words.invite.notCopied);
  };
  return (
    <li class="tile invitation">
      <p class="invitation-title">{call.alone}</p>
      <p>{call.aloneText}</p>
      <button type="button" class="button primary" onClick={() => void copy()}>
        <Icon name="link" />
        {words.invite.copy}
      </button>
    </li>
  );
};
