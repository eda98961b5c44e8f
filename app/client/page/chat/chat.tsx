/** The chat panel. */
import { Component, type RefObject } from 'preact';
import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { CallModel } from '../call/call-model.ts';
import { clock } from '../i18n/format.ts';
import { speech, words } from '../i18n/i18n.ts';
import { Icon } from '../ui/icons.tsx';
import type { ChatLine } from './chat-log.ts';
import { excerptLength } from './excerpt.ts';
import { Attach, FileList } from './file-list.tsx';
import { splitLinks } from './linkify.ts';

const { chat } = words;
const longestMessage = 4000;
/** Lines shown at first, and more on each request for earlier ones. */
const linesAtOnce = 100;
/** Milliseconds for which earlier lines are not announced: they are not new. */
const quietTime = 1_000;

export const ChatPanel = ({ model, close }: { model: CallModel; close: () => void }) => (
  <section id="chat" class="panel" aria-label={chat.title}>
    <header class="panel-head">
      <h2>{chat.title}</h2>
      <button type="button" class="control plain" aria-label={chat.close} onClick={close}>
        <Icon name="close" />
      </button>
    </header>
    <Lines lines={model.chat.lines} />
    <FileList model={model} />
    <MessageForm model={model} />
  </section>
);

const Lines = ({ lines }: { lines: readonly ChatLine[] }) => {
  const list = useRef<HTMLDivElement>(null);
  const earlier = useEarlierLines(list, lines.length);
  useEffect(() => {
    list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [lines.at(-1)?.key]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard
    <div ref={list} class="lines" role="log" aria-live={earlier.live} aria-label={chat.messages} tabIndex={0}>
      {lines.length === 0 && <p class="quiet">{chat.empty}</p>}
      {lines.length > earlier.shown && (
        <button type="button" class="button small earlier" onClick={earlier.show}>
          {chat.earlier}
        </button>
      )}
      {lines.slice(-earlier.shown).map((line) => (
        <Line key={line.key} line={line} language={speech.language} />
      ))}
    </div>
  );
};

/** Shows the last lines, and earlier ones on request: they keep what is read in place, and the focus in the list. */
const useEarlierLines = (list: RefObject<HTMLDivElement | null>, count: number) => {
  const [shown, setShown] = useState(linesAtOnce);
  const [live, setLive] = useState<'polite' | 'off'>('polite');
  /** Distance between the scroll position and the end of the list, when earlier lines were requested. */
  const fromEnd = useRef<number | undefined>(undefined);
  useLayoutEffect(() => {
    if (!list.current || fromEnd.current === undefined) return;
    list.current.scrollTop = list.current.scrollHeight - fromEnd.current;
    // The button is gone.
    if (count <= shown) list.current.focus({ preventScroll: true });
    const timer = setTimeout(() => setLive('polite'), quietTime);
    return () => clearTimeout(timer);
  }, [shown]);
  const show = () => {
    if (list.current) fromEnd.current = list.current.scrollHeight - list.current.scrollTop;
    setShown(shown + linesAtOnce);
    setLive('off');
  };
  return { shown, live, show };
};

type LineProps = { line: ChatLine; language: string };

/** Rendered again only if its line or the language changes, so that a new line costs the same in a long chat. */
export class Line extends Component<LineProps> {
  override shouldComponentUpdate({ line, language }: LineProps) {
    return line !== this.props.line || language !== this.props.language;
  }

  override render({ line: { mine, name, text, at, isPrivate, delivery } }: LineProps) {
    return (
      <article class={mine ? 'line mine' : 'line'} data-delivery={delivery}>
        <p class="line-head">
          <bdi class="line-name">{name}</bdi>
          {isPrivate && <span class="tag">{chat.onlyToYou}</span>}
          <time dateTime={new Date(at).toISOString()}>{clock(at)}</time>
        </p>
        <LineText text={text} />
        {delivery === 'sending' && <p class="line-delivery">{chat.sending}</p>}
        {delivery === 'refused' && <p class="line-delivery refused">{chat.notSent}</p>}
      </article>
    );
  }
}

/** Of a long text only the beginning, until the rest is requested. */
const LineText = ({ text }: { text: string }) => {
  const [isWhole, setIsWhole] = useState(false);
  const excerpt = excerptLength(text);
  const isLong = excerpt < text.length;
  return (
    <>
      <p class="line-text" dir="auto">
        {withLinks(text, isWhole ? text.length : excerpt)}
        {isLong && !isWhole && '…'}
      </p>
      {isLong && (
        <button type="button" class="button small quiet-button" onClick={() => setIsWhole(!isWhole)}>
          {isWhole ? chat.less : chat.more}
        </button>
      )}
    </>
  );
};

/**
 * The first `length` characters of the text, with its URLs as links, which open a new tab and send no referrer. Each is isolated from left
 * to right: a direction override before it would reverse it, and show another host.
 */
export const withLinks = (text: string, length: number) =>
  splitLinks(text, length).map((part, index) =>
    part.type === 'link' ? (
      <bdi key={index} dir="ltr">
        <a href={part.text} target="_blank" rel="noopener noreferrer">
          {part.text}
        </a>
      </bdi>
    ) : (
      part.text
    ),
  );

const MessageForm = ({ model }: { model: CallModel }) => {
  const field = useRef<HTMLTextAreaElement>(null);
  const [text, setText] = useState('');
  useEffect(() => field.current?.focus(), []);
  const send = (event: Event) => {
    event.preventDefault();
    field.current?.focus();
    if (text.trim() === '') return;
    void model.chat.send(text.trim());
    setText('');
  };
  const keyDown = (event: KeyboardEvent) => {
    // During IME composition, Enter selects a candidate.
    if (event.key === 'Enter' && !event.shiftKey && !event.isComposing) send(event);
  };
  return (
    <form class="writer" onSubmit={send}>
      {model.transfers.possible && <Attach send={(files) => model.sendFiles(files)} />}
      <label class="unseen" for="message">
        {chat.message}
      </label>
      <textarea
        ref={field}
        id="message"
        class="field"
        dir="auto"
        rows={2}
        maxLength={longestMessage}
        placeholder={chat.message}
        enterkeyhint="send"
        value={text}
        onInput={({ currentTarget }) => setText(currentTarget.value)}
        onKeyDown={keyDown}
      />
      <button type="submit" class="button primary" aria-label={chat.send}>
        <Icon name="send" />
      </button>
    </form>
  );
};
