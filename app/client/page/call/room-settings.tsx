/** Room settings for hosts: access, passcode, ending the room. */
import { useState } from 'preact/hooks';
import type { Access } from '../../room.ts';
import { words } from '../i18n/i18n.ts';
import { Dialog } from '../ui/dialog.tsx';
import type { CallModel } from './call-model.ts';

const { room: text } = words;
const accesses: readonly Access[] = ['open', 'knock', 'locked'];

export const RoomSettings = ({ model }: { model: CallModel }) => {
  const [ending, setEnding] = useState(false);
  const chosen = model.roomState?.room.access;
  return (
    <section class="room-settings" aria-labelledby="room-settings">
      <h3 id="room-settings">{text.title}</h3>
      <fieldset class="accesses">
        <legend class="field-label">{text.access}</legend>
        {accesses.map((access) => (
          <label key={access} class="option">
            <input
              type="radio"
              name="access"
              checked={access === chosen}
              onChange={() => void model.decide((room) => room.lock(access))}
            />
            {text[access]}
          </label>
        ))}
      </fieldset>
      <PasscodeForm model={model} />
      <button type="button" class="button wide danger-outline" onClick={() => setEnding(true)}>
        {text.end}
      </button>
      {ending && <EndForAll model={model} close={() => setEnding(false)} />}
    </section>
  );
};

const PasscodeForm = ({ model }: { model: CallModel }) => {
  const [typed, setTyped] = useState('');
  const isSet = model.roomState?.room.passcode === true;
  const submit = (event: Event) => {
    event.preventDefault();
    if (typed === '') return;
    void model.decide((room) => room.setPasscode(typed), text.passcodeIsSet);
    setTyped('');
  };
  return (
    <form onSubmit={submit} autoComplete="off">
      <label class="field-label" for="room-passcode">
        {text.passcode}
      </label>
      <div class="joined-field">
        <input
          id="room-passcode"
          class="field"
          maxLength={256}
          autoCapitalize="none"
          spellcheck={false}
          aria-describedby="room-passcode-hint"
          value={typed}
          onInput={({ currentTarget }) => setTyped(currentTarget.value)}
        />
        <button type="submit" class="button">
          {isSet ? text.change : text.set}
        </button>
      </div>
      <p id="room-passcode-hint" class="hint">
        {isSet ? text.passcodeSet : text.passcodeNone}
      </p>
      {isSet && (
        <button
          type="button"
          class="button small"
          onClick={() => void model.decide((room) => room.setPasscode(null), text.passcodeIsGone)}
        >
          {text.clear}
        </button>
      )}
    </form>
  );
};

const EndForAll = ({ model, close }: { model: CallModel; close: () => void }) => (
  <Dialog title={text.endTitle} close={close}>
    <p>{text.endText}</p>
    <div class="choices">
      <button type="button" class="button danger" onClick={() => void model.decide((room) => room.end())}>
        {text.endDo}
      </button>
      <button type="button" class="button" onClick={close}>
        {words.cancel}
      </button>
    </div>
  </Dialog>
);
