/** Contrast of graphics (WCAG 2.2, 1.4.11: 3 to 1) and of text (1.4.3: 4.5 to 1), by the page's own colours. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';

const css = readFileSync(join(import.meta.dirname, '../../app/client/page/style/base.css'), 'utf8');
const coloursIn = (text: string): Record<string, string> =>
  Object.fromEntries([...text.matchAll(/--([\w-]+): (#[0-9a-f]{6});/g)].map(([, name, value]) => [name, value]));
const [bright = '', dim = ''] = css.split('prefers-color-scheme: dark');
const schemes = { light: coloursIn(bright), dark: { ...coloursIn(bright), ...coloursIn(dim) } };

/** https://www.w3.org/TR/WCAG22/#dfn-relative-luminance */
const luminance = (colour: string): number => {
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const share = Number.parseInt(colour.slice(at, at + 2), 16) / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const contrast = (one: string, other: string): number => {
  const [darker = 0, lighter = 0] = [luminance(one), luminance(other)].toSorted((a, b) => a - b);
  return (lighter + 0.05) / (darker + 0.05);
};

const grounds = ['paper', 'surface', 'sunk', 'tile'];

describe.each(Object.entries(schemes))('in the %s scheme', (_, colours) => {
  const between = (one: string, other: string) => contrast(colours[one] ?? '', colours[other] ?? '');

  it('the contrast of black on white is 21, of a colour on itself 1', () => {
    expect(contrast('#000000', '#ffffff')).toBeCloseTo(21);
    expect(between('ink', 'ink')).toBe(1);
  });

  it.each(['edge', 'focus', 'accent', 'danger'].flatMap((sign) => grounds.map((ground) => [sign, ground] as const)))(
    'the icon in %s has enough contrast with %s',
    (sign, ground) => {
      expect(between(sign, ground)).toBeGreaterThanOrEqual(3);
    },
  );

  it.each([
    ...['ink', 'soft'].flatMap((text) => grounds.map((ground) => [text, ground] as const)),
    ...(['accent', 'accent-strong', 'danger', 'warn'] as const).map(
      (ground) => [`on-${ground.replace('-strong', '')}`, ground] as const,
    ),
    ['accent', 'paper'],
    ['accent', 'surface'],
    ['danger', 'paper'],
    ['danger', 'surface'],
  ] as const)('text in %s on %s has enough contrast', (text, ground) => {
    expect(between(text, ground)).toBeGreaterThanOrEqual(4.5);
  });
});
