/** Asks for the passcode of a room. */
import { useEffect, useRef, useState } from 'preact/hooks';
import { words } from '../i18n/i18n.ts';
import { useTitle } from '../ui/hooks.ts';

const { passcode } = words;

type PasscodeNeededProps = { wrong: boolean; join: (passcode: string) => void; back: () => void };

export const PasscodeNeeded = ({ wrong, join, back }: PasscodeNeededProps) => {
  useTitle(`${passcode.title} – ${words.product}`);
  const field = useRef<HTMLInputElement>(null);
  const [problem, setProblem] = useState(wrong ? passcode.wrong : '');
  const [attempt, setAttempt] = useState(0);
  useEffect(() => field.current?.focus(), []);
  const submit = (event: Event) => {
    event.preventDefault();
    const text = field.current?.value ?? '';
    if (text !== '') return join(text);
    setProblem(passcode.missing);
    setAttempt(attempt + 1);
    field.current?.focus();
  };
  return (
    <main class="card">
      <h1>{passcode.title}</h1>
      <p class="lead">{passcode.text}</p>
      <form onSubmit={submit} noValidate>
        <label class="field-label" for="passcode">
          {passcode.label}
        </label>
        <input
          ref={field}
          id="passcode"
          class="field"
          type="password"
          maxLength={256}
          autoComplete="off"
          aria-invalid={problem !== ''}
          aria-describedby="passcode-problem"
          onInput={() => setProblem('')}
        />
        {/* A new element each time: the same text would not be announced again. */}
        <p id="passcode-problem" class="problem below-field" role="alert">
          {problem !== '' && <span key={attempt}>{problem}</span>}
        </p>
        <div class="choices">
          <button type="submit" class="button primary">
            {passcode.enter}
          </button>
          <button type="button" class="button" onClick={back}>
            {passcode.back}
          </button>
        </div>
      </form>
    </main>
  );
};
