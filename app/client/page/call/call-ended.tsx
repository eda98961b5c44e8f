/** The view after a call, or instead of one: what happened and what to do next. Also the view of an outdated page. */
import type { ErrorCode } from '../../room.ts';
import { endingOf } from '../i18n/error-messages.ts';
import { words } from '../i18n/i18n.ts';
import { useFirstFocus, useTitle } from '../ui/hooks.ts';
import { Icon } from '../ui/icons.tsx';
import { Outdated } from '../ui/lazy.tsx';

type CallEndedProps = { code: ErrorCode; again: () => void; newRoom: () => void };

export const CallEnded = ({ code, again, newRoom }: CallEndedProps) => {
  const { title, text, next, again: againText } = endingOf(code);
  useTitle(`${title} – ${words.product}`);
  const heading = useFirstFocus<HTMLHeadingElement>();
  const canRetry = code !== 'bad-room-name';
  return (
    <main class="card closing" data-ending={code}>
      <Brand />
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      <p class="lead">{text}</p>
      <div class={next === 'again' ? 'choices' : 'choices reversed'}>
        {canRetry && (
          <button type="button" class={next === 'again' ? 'button primary' : 'button'} onClick={again}>
            {againText}
          </button>
        )}
        <button type="button" class={next === 'again' ? 'button' : 'button primary'} onClick={newRoom}>
          {words.closing.newRoom}
        </button>
      </div>
    </main>
  );
};

/** The server was upgraded since the page was opened, or cannot be reached. */
export const OutdatedPage = () => {
  const { title } = words.outdated;
  useTitle(`${title} – ${words.product}`);
  const heading = useFirstFocus<HTMLHeadingElement>();
  return (
    <main class="card closing" data-ending="outdated">
      <Brand />
      <h1 ref={heading} tabIndex={-1}>
        {title}
      </h1>
      <Outdated />
    </main>
  );
};

const Brand = () => (
  <p class="brand">
    <Icon name="gate" />
    {words.product}
  </p>
);
