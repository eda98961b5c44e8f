/** The start page: create a room, open one by name, or reopen a recent one. */
import { useRef, useState } from 'preact/hooks';
import type { CallOptions } from '../call/call-model.ts';
import { words } from '../i18n/i18n.ts';
import { LanguageChoice } from '../i18n/language-choice.tsx';
import { normalRoomName, type RoomNameProblem, roomNameProblem, roomUrl } from '../route.ts';
import { forgetRooms, recentRooms } from '../storage.ts';
import { useFirstFocus, useTitle } from '../ui/hooks.ts';
import { Icon } from '../ui/icons.tsx';

const { landing } = words;

type LandingProps = { open: (room: string) => void; openNew: (options: CallOptions) => void };

export const Landing = ({ open, openNew }: LandingProps) => {
  useTitle(words.product);
  const heading = useFirstFocus<HTMLHeadingElement>();
  return (
    <main class="card landing">
      <p class="brand">
        <Icon name="gate" />
        {words.product}
      </p>
      <h1 ref={heading} tabIndex={-1}>
        {landing.title}
      </h1>
      <p class="lead">{landing.text}</p>
      <NewRoom openNew={openNew} />
      <p class="divider">{landing.or}</p>
      <RoomForm open={open} />
      <Recent open={open} />
      <LanguageChoice />
    </main>
  );
};

const NewRoom = ({ openNew }: Pick<LandingProps, 'openNew'>) => {
  const [knock, setKnock] = useState(false);
  const [passcode, setPasscode] = useState('');
  return (
    <form
      autoComplete="off"
      onSubmit={(event) => {
        event.preventDefault();
        openNew({ access: knock ? 'knock' : 'open', passcode });
      }}
    >
      <button type="submit" class="button primary wide">
        {landing.newRoom}
      </button>
      <details class="options">
        <summary>{landing.options}</summary>
        <label class="option">
          <input type="checkbox" checked={knock} onChange={({ currentTarget }) => setKnock(currentTarget.checked)} />
          {words.room.knock}
        </label>
        <label class="field-label" for="new-passcode">
          {words.room.passcode}
        </label>
        <input
          id="new-passcode"
          class="field"
          maxLength={256}
          aria-describedby="new-passcode-hint"
          value={passcode}
          onInput={({ currentTarget }) => setPasscode(currentTarget.value)}
        />
        <p id="new-passcode-hint" class="hint">
          {words.room.noPasscode}
        </p>
      </details>
    </form>
  );
};

const RoomForm = ({ open }: Pick<LandingProps, 'open'>) => {
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<RoomNameProblem>();
  const [attempt, setAttempt] = useState(0);
  const submit = (event: Event) => {
    event.preventDefault();
    const room = normalRoomName(field.current?.value ?? '');
    const found = roomNameProblem(room);
    setProblem(found);
    setAttempt(attempt + 1);
    if (found) field.current?.focus();
    else open(room);
  };
  return (
    <form onSubmit={submit} noValidate>
      <label class="field-label" for="room">
        {landing.room}
      </label>
      <div class="joined-field">
        <input
          ref={field}
          id="room"
          class="field"
          dir="auto"
          autoComplete="off"
          autoCapitalize="none"
          spellcheck={false}
          aria-invalid={problem !== undefined}
          aria-describedby="room-problem"
          onInput={() => setProblem(undefined)}
        />
        <button type="submit" class="button">
          {landing.go}
        </button>
      </div>
      {/* A new element each time: the same text would not be announced again. */}
      <p id="room-problem" class="problem below-field" role="alert">
        {problem && <span key={attempt}>{landing.problems[problem]}</span>}
      </p>
    </form>
  );
};

const Recent = ({ open }: Pick<LandingProps, 'open'>) => {
  const [rooms, setRooms] = useState(recentRooms);
  if (rooms.length === 0) return null;
  const forget = () => {
    forgetRooms();
    setRooms([]);
  };
  const follow = (event: MouseEvent, room: string) => {
    // With a modifier key the browser opens the link in another tab or window.
    if (event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    open(room);
  };
  return (
    <section class="recent" aria-labelledby="recent">
      <header class="recent-head">
        <h2 id="recent">{landing.recent}</h2>
        <button type="button" class="button small quiet-button" onClick={forget}>
          {landing.forget}
        </button>
      </header>
      <ul>
        {rooms.map((room) => (
          <li key={room}>
            <a class="recent-room" href={roomUrl(room, document.baseURI)} onClick={(event) => follow(event, room)}>
              {room}
            </a>
          </li>
        ))}
      </ul>
    </section>
  );
};
