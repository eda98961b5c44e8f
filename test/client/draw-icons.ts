/** `npm run icons`: renders app/client/icons/*.png from icon.svg in that folder, with Chromium. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { launch } from '../stack/browser.ts';

const folder = join(import.meta.dirname, '../../app/client/icons');
const svg = readFileSync(join(folder, 'icon.svg'), 'utf8');

/**
 * `inset`: the share of the edge that stays background; a maskable icon may be cut to a circle of 80 %.
 * https://www.w3.org/TR/appmanifest/#icon-masks
 */
const icons = [
  { name: 'icon-48', size: 48, inset: 0 },
  { name: 'icon-192', size: 192, inset: 0 },
  { name: 'icon-512', size: 512, inset: 0 },
  { name: 'maskable-512', size: 512, inset: 0.1 },
];

const browser = await launch();
const page = await browser.newPage();
for (const { name, size, inset } of icons) {
  const ground = /<rect[^>]*fill="(#\w+)"/.exec(svg)?.[1];
  const edge = Math.round(size * inset);
  await page.setViewportSize({ width: size, height: size });
  await page.setContent(
    `<style>body { margin: 0; ${inset > 0 ? `background: ${ground};` : ''} } svg { display: block; width: ${size - 2 * edge}px; margin: ${edge}px }</style>${svg}`,
  );
  writeFileSync(join(folder, `${name}.png`), await page.screenshot({ omitBackground: inset === 0, scale: 'css' }));
}
await browser.close();
