/** One person in the call: picture, name, and how things stand with them. */
import type { RemotePeer } from '../genkan.ts';
import type { Conversation } from './conversation.ts';
import { nameOf } from './conversation.ts';
import { Icon } from './icons.tsx';
import { Video } from './video.tsx';
import { words } from './words.ts';

const { tile } = words;

type PeerTileProps = { peer: RemotePeer; retry: () => void; onBlocked: (play: () => void) => void };

export const PeerTile = ({ peer, retry, onBlocked }: PeerTileProps) => {
  const name = nameOf(peer);
  const status = statusOf(peer);
  return (
    <li
      class="tile"
      data-peer={peer.id}
      data-state={peer.link}
      data-away={peer.away}
      data-video={peer.media.video}
      data-status={status !== undefined}
    >
      <Initial name={name} />
      <Video stream={peer.stream} label={name} onBlocked={onBlocked} />
      {status && (
        <div class="tile-status">
          <span>{status}</span>
          {peer.link === 'failed' && (
            <button type="button" class="button small" onClick={retry}>
              {tile.retry}
            </button>
          )}
        </div>
      )}
      <Caption name={name} audio={peer.media.audio} video={peer.media.video} />
    </li>
  );
};

export const OwnTile = ({ conversation }: { conversation: Conversation }) => {
  const { name, devices } = conversation;
  const label = name ? words.call.youNamed(name) : words.call.you;
  const camera = devices.state('camera').is === 'on';
  return (
    <li class="tile own" data-self data-video={camera}>
      <Initial name={name || words.call.you} />
      <Video stream={devices.stream} label={label} own />
      <Caption name={label} audio={devices.state('microphone').is === 'on'} video={camera} />
    </li>
  );
};

const Initial = ({ name }: { name: string }) => (
  <span class="initial" aria-hidden="true">
    {[...name][0]?.toLocaleUpperCase()}
  </span>
);

const Caption = ({ name, audio, video }: { name: string; audio: boolean; video: boolean }) => (
  <p class="caption">
    {!audio && <Sign name="microphone-off" text={tile.microphoneOff} />}
    {!video && <Sign name="camera-off" text={tile.cameraOff} />}
    <span class="caption-name">{name}</span>
  </p>
);

const Sign = ({ name, text }: { name: 'microphone-off' | 'camera-off'; text: string }) => (
  <span class="sign" title={text}>
    <Icon name={name} />
    <span class="unseen">{text}</span>
  </span>
);

const statusOf = ({ link, away }: RemotePeer): string | undefined => {
  if (link === 'failed') return tile.failed;
  if (link === 'reconnecting') return tile.reconnecting;
  if (away) return tile.away;
  return link === 'connecting' ? tile.connecting : undefined;
};
