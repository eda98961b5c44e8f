/** The chat panel. */
import { Component } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import type { CallModel } from '../call/call-model.ts';
import { clock } from '../i18n/format.ts';
import { speech, words } from '../i18n/i18n.ts';
import { Icon } from '../ui/icons.tsx';
import type { ChatLine } from './chat-log.ts';
import { Attach, FileList } from './file-list.tsx';
import { splitLinks } from './linkify.ts';

const { chat } = words;
const longestMessage = 4000;

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
  useEffect(() => {
    list.current?.scrollTo({ top: list.current.scrollHeight });
  }, [lines.at(-1)?.key]);
  return (
    // biome-ignore lint/a11y/noNoninteractiveTabindex: a scrollable region must be reachable by keyboard
    <div ref={list} class="lines" role="log" aria-label={chat.messages} tabIndex={0}>
      {lines.length === 0 && <p class="quiet">{chat.empty}</p>}
      {lines.map((line) => (
        <Line key={line.key} line={line} language={speech.language} />
      ))}
    </div>
  );
};

type LineProps = { line: ChatLine; language: string };

/** Rendered again only if its line or the language changes, so that a new line costs the same in a long chat. */
export class Line extends Component<LineProps> {
  override shouldComponentUpdate({ line, language }: LineProps) {
    return line !== this.props.line || language !== this.props.language;
  }

  override render({ line: { mine, name, text, at, delivery } }: LineProps) {
    return (
      <article class={mine ? 'line mine' : 'line'} data-delivery={delivery}>
        <p class="line-head">
          <bdi class="line-name">{name}</bdi>
          <time dateTime={new Date(at).toISOString()}>{clock(at)}</time>
        </p>
        <p class="line-text" dir="auto">
          {withLinks(text)}
        </p>
        {delivery === 'sending' && <p class="line-delivery">{chat.sending}</p>}
        {delivery === 'refused' && <p class="line-delivery refused">{chat.notSent}</p>}
      </article>
    );
  }
}

/** The text with its URLs as links, which open a new tab and send no referrer. */
const withLinks = (text: string) =>
  splitLinks(text).map((part, index) =>
    part.type === 'link' ? (
      <a key={index} href={part.text} target="_blank" rel="noopener noreferrer">
        {part.text}
      </a>
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
