/** The start page: a new room, or one by its name. */
import { useRef, useState } from 'preact/hooks';
import { useFirstFocus, useTitle } from './hooks.ts';
import { Icon } from './icons.tsx';
import { newRoomName, normalRoomName, type RoomNameProblem, roomNameProblem } from './route.ts';
import { words } from './words.ts';

const { landing } = words;
const sentences: Record<RoomNameProblem, string> = {
  missing: landing.missing,
  invalid: landing.invalid,
  'too-long': landing.tooLong,
};

export const Landing = ({ open }: { open: (room: string) => void }) => {
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
      <button type="button" class="button primary wide" onClick={() => open(newRoomName())}>
        {landing.newRoom}
      </button>
      <p class="divider">{landing.or}</p>
      <RoomForm open={open} />
    </main>
  );
};

const RoomForm = ({ open }: { open: (room: string) => void }) => {
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState<RoomNameProblem>();
  const submit = (event: Event) => {
    event.preventDefault();
    const room = normalRoomName(field.current?.value ?? '');
    const found = roomNameProblem(room);
    setProblem(found);
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
      <p id="room-problem" class="problem" role="alert">
        {problem && sentences[problem]}
      </p>
    </form>
  );
};
