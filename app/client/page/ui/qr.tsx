/** A QR code: dark on light in every colour scheme, with the quiet zone that readers need (ISO/IEC 18004). */
import { encode } from 'uqr';

type QrCodeProps = { text: string; label: string; hint: string };

export const QrCode = ({ text, label, hint }: QrCodeProps) => {
  const { data, size } = encode(text, { ecc: 'M', border: 4 });
  const dark = data.flatMap((row, y) => row.map((isDark, x) => (isDark ? `M${x} ${y}h1v1h-1z` : '')));
  return (
    <figure class="qr">
      <svg viewBox={`0 0 ${size} ${size}`} role="img" aria-label={label} shape-rendering="crispEdges">
        <path fill="#fff" d={`M0 0h${size}v${size}H0z`} />
        <path fill="#000" d={dark.join('')} />
      </svg>
      <figcaption class="hint">{hint}</figcaption>
    </figure>
  );
};
