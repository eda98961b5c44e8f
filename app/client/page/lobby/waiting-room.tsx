/** Shown in rooms with access `knock`, until a host admits the guest. */
import type { CallModel } from '../call/call-model.ts';
import { words } from '../i18n/i18n.ts';
import { useFirstFocus, useTitle } from '../ui/hooks.ts';
import { Preview } from './preview.tsx';

const { waiting } = words;

type WaitingRoomProps = { room: string; model: CallModel; problem: string | undefined };

export const WaitingRoom = ({ room, model, problem }: WaitingRoomProps) => {
  useTitle(`${waiting.title} – ${words.product}`);
  const heading = useFirstFocus<HTMLHeadingElement>();
  const { state } = model;
  const host = state.state === 'waiting' && state.host;
  return (
    <main class="card lobby" data-waiting={host ? 'host' : 'no-host'}>
      <div class="lobby-parts">
        <div class="lobby-head">
          <p class="brand">{words.lobby.room(room)}</p>
          <h1 ref={heading} tabIndex={-1}>
            {waiting.title}
          </h1>
        </div>
        <Preview devices={model.devices} />
        <div class="entry">
          <p class="waiting-host" role="status">
            <span class="pulse" aria-hidden="true" />
            {problem ?? (host ? waiting.host : waiting.noHost)}
          </p>
          <p class="quiet">{waiting.stay}</p>
          <button type="button" class="button wide" onClick={() => model.leave()}>
            {waiting.leave}
          </button>
        </div>
      </div>
    </main>
  );
};
