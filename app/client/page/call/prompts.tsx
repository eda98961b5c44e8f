/** Cards over a call that need a response: a guest waits, a host asks to mute, the screen is shared. */

import { words } from '../i18n/i18n.ts';
import type { CallModel } from './call-model.ts';

const { people, asked, screen } = words;

/** `back`: restores the focus when the card that had it disappears. */
type PromptsProps = { model: CallModel; show: () => void; back: () => void };

export const Prompts = ({ model, show, back }: PromptsProps) => (
  <div class="prompts">
    <Sharing model={model} back={back} />
    <MuteRequest model={model} back={back} />
    {model.panel !== 'people' && <Knock model={model} show={show} back={back} />}
  </div>
);

const Knock = ({ model, show, back }: PromptsProps) => {
  const [first, ...others] = model.roomState?.waiting ?? [];
  if (!first) return null;
  const decide = (action: 'admit' | 'deny') => {
    void model.decide((room) => room[action](first.id));
    back();
  };
  return (
    <section class="prompt" aria-label={people.waiting} data-prompt="knock">
      <p>{others.length === 0 ? people.knocks(first.name ?? words.someone) : people.knock(others.length + 1)}</p>
      <div class="prompt-choices">
        {others.length === 0 ? (
          <>
            <button type="button" class="button small primary" onClick={() => decide('admit')}>
              {people.admit}
            </button>
            <button type="button" class="button small" onClick={() => decide('deny')}>
              {people.deny}
            </button>
          </>
        ) : (
          <button type="button" class="button small primary" onClick={show}>
            {people.show}
          </button>
        )}
      </div>
    </section>
  );
};

const MuteRequest = ({ model, back }: Omit<PromptsProps, 'show'>) => {
  const request = model.local.muteRequest;
  if (!request) return null;
  const answer = (comply: boolean) => {
    model.local.answer(comply);
    back();
  };
  return (
    <section class="prompt" aria-label={asked.do[request.kind]} data-prompt="mute">
      <p role="alert">{asked[request.kind](request.name)}</p>
      <div class="prompt-choices">
        <button type="button" class="button small primary" onClick={() => answer(true)}>
          {asked.do[request.kind]}
        </button>
        <button type="button" class="button small" onClick={() => answer(false)}>
          {asked.not}
        </button>
      </div>
    </section>
  );
};

const Sharing = ({ model, back }: Omit<PromptsProps, 'show'>) => {
  if (model.local.screen.stream === null) return null;
  const stop = () => {
    model.local.screen.stop();
    back();
  };
  return (
    <section class="prompt" aria-label={screen.yours} data-prompt="sharing">
      <p role="status">{screen.yours}</p>
      <div class="prompt-choices">
        <button type="button" class="button small" onClick={stop}>
          {screen.stop}
        </button>
      </div>
    </section>
  );
};
