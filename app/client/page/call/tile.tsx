/** The tile of one participant: video, name and status. */
import type { ComponentChildren } from 'preact';
import type { RemotePeer } from '../../room.ts';
import { words } from '../i18n/i18n.ts';
import { Icon } from '../ui/icons.tsx';
import { StatusIcon } from '../ui/status-icon.tsx';
import { OwnVideo, Video } from '../ui/video.tsx';
import { nameOf } from './announcements.ts';
import type { CallModel } from './call-model.ts';
import { QualityBadge } from './quality-badge.tsx';

const { tile } = words;

type PeerTileProps = {
  peer: RemotePeer;
  reaction: string | undefined;
  /** Id of the audio output device; '' = the system's default. */
  speaker: string;
  speaking: boolean;
  main: boolean;
  canPin: boolean;
  pinned: boolean;
  pin: () => void;
  retry: () => void;
  onBlocked: (play: () => void) => void;
};

export const PeerTile = (props: PeerTileProps) => {
  const { peer, reaction, speaker, speaking, main, canPin, pinned, pin, retry, onBlocked } = props;
  const name = nameOf(peer);
  const status = statusOf(peer);
  const { audio, video, screen = false } = peer.media;
  return (
    <li
      class={main ? 'tile main' : 'tile'}
      data-peer={peer.id}
      data-state={peer.connectionState}
      data-away={peer.away}
      data-video={video}
      data-screen={screen}
      data-speaking={speaking}
      data-status={status !== undefined}
    >
      <Initial name={name} />
      <Video
        stream={peer.stream}
        label={screen ? words.screen.of(name) : name}
        speaker={speaker}
        onBlocked={onBlocked}
      />
      {status && (
        <div class="tile-status">
          <span>{status}</span>
          {peer.connectionState === 'failed' && (
            <button type="button" class="button small" onClick={retry}>
              {tile.retry}
            </button>
          )}
        </div>
      )}
      {canPin && (
        <button
          type="button"
          class="pin"
          aria-pressed={pinned}
          aria-label={pinned ? tile.unpin(name) : tile.pin(name)}
          title={pinned ? tile.unpin(name) : tile.pin(name)}
          onClick={pin}
        >
          <Icon name="pin" />
        </button>
      )}
      <Reaction from={name} text={reaction} />
      <Caption name={screen ? words.screen.theirs(name) : name} audio={audio} video={video} hand={peer.hand}>
        <QualityBadge quality={peer.quality} />
      </Caption>
    </li>
  );
};

export const OwnTile = ({ model }: { model: CallModel }) => {
  const { name, devices } = model;
  const { hand } = model.local;
  const label = name ? words.call.youNamed(name) : words.call.you;
  const camera = devices.state('camera').state === 'on';
  return (
    <li class="tile own" data-self data-video={camera}>
      <Initial name={name || words.call.you} />
      <OwnVideo devices={devices} label={label} />
      <Reaction from={label} text={model.reactions.of('self')} />
      <Caption name={label} audio={devices.state('microphone').state === 'on'} video={camera} hand={hand} />
    </li>
  );
};

const Initial = ({ name }: { name: string }) => (
  <span class="initial" aria-hidden="true">
    {[...name][0]?.toLocaleUpperCase()}
  </span>
);

const Reaction = ({ from, text }: { from: string; text: string | undefined }) => (
  <p class="reaction" role="status">
    {text && <span class="unseen">{from}</span>}
    {text}
  </p>
);

type CaptionProps = { name: string; audio: boolean; video: boolean; hand: boolean; children?: ComponentChildren };

const Caption = ({ name, audio, video, hand, children }: CaptionProps) => (
  <p class="caption" data-hand={hand}>
    {hand && <StatusIcon name="hand" text={tile.hand} />}
    {!audio && <StatusIcon name="microphone-off" text={tile.microphoneOff} />}
    {!video && <StatusIcon name="camera-off" text={tile.cameraOff} />}
    {children}
    <bdi class="caption-name">{name}</bdi>
  </p>
);

const statusOf = ({ connectionState: link, away }: RemotePeer): string | undefined => {
  if (link === 'failed') return tile.failed;
  if (link === 'reconnecting') return tile.reconnecting;
  if (away) return tile.away;
  return link === 'connecting' ? tile.connecting : undefined;
};
