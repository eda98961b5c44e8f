/** An icon that carries information: its text is read by screen readers and shown as a tooltip. */
import { Icon } from './icons.tsx';

type StatusIconProps = { name: 'hand' | 'microphone-off' | 'camera-off'; text: string };

export const StatusIcon = ({ name, text }: StatusIconProps) => (
  <span class="sign" title={text}>
    <Icon name={name} />
    <span class="unseen">{text}</span>
  </span>
);
