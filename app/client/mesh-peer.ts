/** Another peer: what the mesh keeps of it, and what the page sees. */
import type { Peer } from '../protocol/messages.ts';
import type { Allowance } from './allowance.ts';
import type { Link, LinkState } from './link.ts';
import type { LinkMonitor } from './link-monitor.ts';
import type { Quality } from './quality.ts';

/** Immutable snapshot of another peer, replaced whenever anything changes. */
export type RemotePeer = Readonly<
  Pick<Peer, 'id' | 'name' | 'role' | 'media' | 'hand' | 'away'> & {
    connectionState: LinkState;
    stream: MediaStream;
    quality?: Quality | undefined;
  }
>;

/** `missing`: the room was recreated and the peer has not joined it yet, but its link still works. */
export type MeshPeer = { peer: Peer; link: Link; monitor: LinkMonitor; allowance: Allowance; missing?: true };

export const snapshot = ({
  peer: { initiator: _, polite: __, epoch: ___, ...shown },
  link,
  monitor,
}: MeshPeer): RemotePeer => ({
  ...shown,
  connectionState: link.state,
  stream: link.stream,
  quality: monitor.quality,
});
