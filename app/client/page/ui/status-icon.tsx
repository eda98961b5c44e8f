/** A pictogram that says something: in words to screen readers, and to whoever points at it. */
import { Icon } from './icons.tsx';

type SignProps = { name: 'hand' | 'microphone-off' | 'camera-off'; text: string };

export const StatusIcon = ({ name, text }: SignProps) => (
  <span class="sign" title={text}>
    <Icon name={name} />
    <span class="unseen">{text}</span>
  </span>
);
