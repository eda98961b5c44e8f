/** The file transfers of the chat: state, progress and actions. */
import type { CallModel } from '../call/call-model.ts';
import { percent, sizeOf } from '../i18n/format.ts';
import { words } from '../i18n/i18n.ts';
import { Icon } from '../ui/icons.tsx';
import type { FileTransfer } from './file-transfers.ts';

const { files } = words;

export const FileList = ({ model }: { model: CallModel }) => {
  const { transfers } = model;
  if (transfers.all.length === 0) return null;
  return (
    <ul class="shares" aria-label={files.title}>
      {transfers.all.map((transfer) => (
        <Item key={transfer.key} transfer={transfer} url={transfers.address(transfer)} />
      ))}
    </ul>
  );
};

const Item = ({ transfer, url }: { transfer: FileTransfer; url: string | undefined }) => {
  const { file, direction, peerName } = transfer;
  return (
    <li class="share" data-share={direction} data-state={file.state.state}>
      <p class="share-name" dir="auto">
        {file.name}
      </p>
      <p class="quiet">
        {direction === 'in' ? files.from(peerName) : files.to(peerName)} · {sizeOf(file.size)} · {stateOf(transfer)}
      </p>
      {(file.state.state === 'running' || file.state.state === 'paused') && (
        <progress class="share-progress" max={file.size} value={file.progress} aria-label={file.name} />
      )}
      <Actions transfer={transfer} />
      {url && (
        <a class="button small" href={url} download={file.name}>
          {files.save}
        </a>
      )}
    </li>
  );
};

const Actions = ({ transfer }: { transfer: FileTransfer }) => {
  const { file, direction } = transfer;
  if (!file.isUnfinished) return null;
  return (
    <div class="prompt-choices">
      {direction === 'in' && file.state.state === 'offered' && (
        <button type="button" class="button small primary" onClick={() => file.accept()}>
          {files.accept}
        </button>
      )}
      <button type="button" class="button small" onClick={() => (direction === 'in' ? file.decline() : file.cancel())}>
        {direction === 'in' ? files.decline : words.cancel}
      </button>
    </div>
  );
};

/** Opens the browser's file picker. */
export const Attach = ({ send }: { send: (files: File[]) => void }) => (
  <label class="button attach" title={files.attach}>
    <Icon name="attach" />
    <span class="unseen">{files.attach}</span>
    <input
      class="unseen"
      type="file"
      multiple
      onChange={({ currentTarget }) => {
        send([...(currentTarget.files ?? [])]);
        currentTarget.value = '';
      }}
    />
  </label>
);

const stateOf = ({ file }: FileTransfer): string => {
  const { state } = file;
  if (state.state === 'closed') return files.over[state.reason];
  if (state.state !== 'running') return files[state.state];
  return percent(file.progress / Math.max(1, file.size));
};
