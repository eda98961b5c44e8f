/** Connection quality of a peer: as three bars, and as numbers. */
import type { Quality } from '../../room.ts';
import { bitrate, milliseconds, percent } from '../i18n/format.ts';
import { words } from '../i18n/i18n.ts';

const { quality: text } = words;

/** Renders nothing while the quality is good. */
export const QualityBadge = ({ quality }: { quality: Quality | undefined }) => {
  if (!quality || quality.level === 'good') return null;
  return (
    <span class="sign bars" data-level={quality.level} title={text[quality.level]}>
      <span class="unseen">{text[quality.level]}</span>
    </span>
  );
};

export const QualityNumbers = ({ quality }: { quality: Quality | undefined }) => {
  if (!quality) return null;
  const { level, rtt, lossIn, lossOut, bitrateIn, bitrateOut, relayed } = quality;
  const rows: [string, string][] = [
    [text.path, words.also(text[level], relayed ? text.relayed : text.direct)],
    ...(rtt === undefined ? [] : ([[text.rtt, milliseconds(rtt)]] as [string, string][])),
    [text.loss, `${percent(lossIn, 1)} / ${percent(lossOut, 1)}`],
    [text.bitrate, `${bitrate(bitrateIn)} / ${bitrate(bitrateOut)}`],
  ];
  return (
    <dl class="numbers">
      {rows.map(([what, value]) => (
        <div key={what}>
          <dt>{what}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
};
