/** Cards over a call that ask for an answer: somebody knocks, a host asks for silence, one's own screen is shown. */

import { words } from '../i18n/i18n.ts';
import type { CallModel } from './call-model.ts';

const { people, asked, screen } = words;

/** `back`: where the focus goes when a card that had it is gone. */
type PromptsProps = { conversation: CallModel; show: () => void; back: () => void };

export const Prompts = ({ conversation, show, back }: PromptsProps) => (
  <div class="prompts">
    <Sharing conversation={conversation} back={back} />
    <MuteRequest conversation={conversation} back={back} />
    {conversation.panel !== 'people' && <Knock conversation={conversation} show={show} back={back} />}
  </div>
);

const Knock = ({ conversation, show, back }: PromptsProps) => {
  const [first, ...others] = conversation.roomState?.waiting ?? [];
  if (!first) return null;
  const decide = (deed: 'admit' | 'deny') => {
    void conversation.decide((room) => room[deed](first.id));
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

const MuteRequest = ({ conversation, back }: Omit<PromptsProps, 'show'>) => {
  const request = conversation.own.asked;
  if (!request) return null;
  const answer = (comply: boolean) => {
    conversation.own.answer(comply);
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

const Sharing = ({ conversation, back }: Omit<PromptsProps, 'show'>) => {
  if (conversation.own.screen.stream === null) return null;
  const stop = () => {
    conversation.own.screen.stop();
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
