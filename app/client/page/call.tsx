/** The call: everyone's tiles, the controls, the chat, and what there is to say about the connection. */
import { useRef, useState } from 'preact/hooks';
import { ChatPanel } from './chat.tsx';
import type { Conversation } from './conversation.ts';
import { copyText } from './copy.ts';
import { Grid } from './grid.tsx';
import { useChanges, useFirstFocus, useTitle } from './hooks.ts';
import { Icon } from './icons.tsx';
import { roomUrl } from './route.ts';
import { Switches } from './switches.tsx';
import { OwnTile, PeerTile } from './tile.tsx';
import { words } from './words.ts';

const { call } = words;

export const Call = ({ room, conversation }: { room: string; conversation: Conversation }) => {
  useChanges(conversation);
  useChanges(conversation.devices);
  useTitle(titleOf(room, conversation));
  const heading = useFirstFocus<HTMLHeadingElement>();
  const chatButton = useRef<HTMLButtonElement>(null);
  const closeChat = () => {
    conversation.openChat(false);
    chatButton.current?.focus();
  };
  const keyDown = ({ key }: KeyboardEvent) => {
    if (key === 'Escape' && conversation.chatOpen) closeChat();
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: Escape is a shortcut; every control has a button
    <div class={conversation.chatOpen ? 'call with-chat' : 'call'} onKeyDown={keyDown}>
      <main class="stage">
        <h1 ref={heading} class="unseen" tabIndex={-1}>
          {call.title(room)}
        </h1>
        <Banner conversation={conversation} />
        <Tiles room={room} conversation={conversation} />
        <Notices conversation={conversation} />
        <fieldset class="controls" aria-label={call.controls}>
          <Switches devices={conversation.devices} />
          <button
            ref={chatButton}
            type="button"
            class="control"
            title={call.chat}
            aria-label={chatName(conversation)}
            aria-expanded={conversation.chatOpen}
            aria-controls="chat"
            onClick={() => (conversation.chatOpen ? closeChat() : conversation.openChat(true))}
          >
            <Icon name="chat" />
            <span class="control-label">{call.chat}</span>
            <Unread count={conversation.unread} />
          </button>
          <button type="button" class="control" title={call.copyLink} onClick={() => void copyLink(room, conversation)}>
            <Icon name="link" />
            <span class="control-label">{call.copyLink}</span>
          </button>
          <button type="button" class="control danger" title={call.leave} onClick={() => conversation.leave()}>
            <Icon name="leave" />
            <span class="control-label">{call.leave}</span>
          </button>
        </fieldset>
      </main>
      {conversation.chatOpen && <ChatPanel conversation={conversation} close={closeChat} />}
    </div>
  );
};

const Tiles = ({ room, conversation }: { room: string; conversation: Conversation }) => {
  const [blocked, setBlocked] = useState<(() => void)[]>([]);
  const { peers } = conversation;
  const alone = peers.length === 0 && conversation.state.is === 'joined';
  return (
    <div class="tiles">
      <Grid count={peers.length + (alone ? 2 : 1)}>
        {peers.map((peer) => (
          <PeerTile
            key={peer.id}
            peer={peer}
            retry={() => conversation.retry(peer.id)}
            onBlocked={(play) => setBlocked((others) => [...others, play])}
          />
        ))}
        <OwnTile key="own" conversation={conversation} />
        {alone && <Invitation key="invitation" copy={() => void copyLink(room, conversation)} />}
      </Grid>
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

const Invitation = ({ copy }: { copy: () => void }) => (
  <li class="tile invitation">
    <p class="invitation-title">{call.alone}</p>
    <p>{call.aloneText}</p>
    <button type="button" class="button primary" onClick={copy}>
      <Icon name="link" />
      {call.copyLink}
    </button>
  </li>
);

/** What is wrong with the way to the server, if anything. */
const Banner = ({ conversation }: { conversation: Conversation }) => (
  <div class="banner" role="status">
    {bannerOf(conversation)}
  </div>
);

const bannerOf = ({ state, everJoined }: Conversation): string | undefined => {
  if (state.is === 'joined' || state.is === 'over') return undefined;
  if (state.is === 'waiting') return call.joining;
  if (everJoined) return call.reconnecting;
  return state.attempt > 1 ? call.unreachable : call.joining;
};

const Notices = ({ conversation }: { conversation: Conversation }) => (
  <div class="notices" role="status">
    {conversation.notices.map(({ key, text }) => (
      <p key={key}>{text}</p>
    ))}
  </div>
);

const Unread = ({ count }: { count: number }) =>
  count === 0 ? null : <span class="badge">{count > 99 ? '99+' : count}</span>;

const chatName = ({ unread }: Conversation): string =>
  unread === 0 ? call.chat : `${call.chat}, ${call.unread(unread)}`;

const copyLink = async (room: string, conversation: Conversation): Promise<void> => {
  const copied = await copyText(roomUrl(room, document.baseURI));
  conversation.announce(copied ? call.copied : call.notCopied);
};

const titleOf = (room: string, { unread }: Conversation): string =>
  `${unread > 0 ? `(${unread}) ` : ''}${room} – ${words.product}`;
