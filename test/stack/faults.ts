/** Accessibility faults, for people who cannot see, cannot point exactly, use only a keyboard, or have little space. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';

/** What axe reports about the current page: WCAG 2.2, A and AA, and its best practices. */
export const axeFaults = async (page: Page): Promise<string[]> => {
  // Through the debugger, to which the content security policy does not apply.
  await page.evaluate(`window.axe ?? (() => { ${axe.source} })()`);
  const { violations } = await page.evaluate(() => (window as unknown as { axe: typeof axe }).axe.run());
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary = '' }) => `${id} ${target}: ${failureSummary.replaceAll(/\s+/g, ' ')}`),
  );
};

/** Targets below 44 px (WCAG 2.2, 2.5.5), content wider than the screen or its container (1.4.10), and missing landmarks. */
export const roomFaults = (page: Page): Promise<string[]> =>
  page.evaluate(() => {
    const faults: string[] = [];
    const modal = document.querySelector('dialog[open]');
    const inside = modal ?? document.body;
    const nameOf = (element: HTMLElement) =>
      element.id || element.getAttribute('aria-label') || element.innerText.trim() || element.className;
    const isShown = (element: HTMLElement) =>
      element.checkVisibility({ visibilityProperty: true }) && !element.closest('.unseen') && element.clientWidth > 0;
    // A link in the middle of a text is as high as its line.
    for (const control of inside.querySelectorAll<HTMLElement>(
      'button, a:not(.line-text a), input, select, textarea, summary',
    )) {
      if (!isShown(control)) continue;
      // A control inside its label is activated by the label too.
      const { width, height } = (control.closest('label') ?? control).getBoundingClientRect();
      // Transforms leave differences of some millionths.
      if (Math.round(height) < 44 || Math.round(width) < 44) faults.push(`${nameOf(control)} is ${width} × ${height}`);
    }
    for (const element of inside.querySelectorAll<HTMLElement>('*')) {
      if (!isShown(element) || element.matches('video, svg, svg *')) continue;
      const { left, right } = element.getBoundingClientRect();
      if (left < -1 || right > innerWidth + 1) faults.push(`${nameOf(element)} reaches from ${left} to ${right}`);
      const { textOverflow, display, clipPath } = getComputedStyle(element);
      const mayBeCut = textOverflow === 'ellipsis' || display === 'inline' || clipPath !== 'none';
      if (!mayBeCut && !element.matches('input, textarea, .tiles *') && element.scrollWidth > element.clientWidth + 1)
        faults.push(`${nameOf(element)} has ${element.clientWidth} and needs ${element.scrollWidth}`);
    }
    if (document.querySelectorAll('h1').length !== 1) faults.push('there is not one heading');
    if (document.querySelectorAll('main').length !== 1) faults.push('there is not one main part');
    if (document.documentElement.scrollWidth > innerWidth) faults.push('the page is wider than the screen');
    return [...new Set(faults)];
  });

/** Goes round by Tab: controls it does not reach (2.1.1), and focus that is not visible (2.4.7, 2.4.11). */
export const tabFaults = async (page: Page): Promise<string[]> => {
  const faults: string[] = [];
  const round = Math.random();
  for (let step = 0; step < 80; step += 1) {
    await page.keyboard.press('Tab');
    const { fault, again } = await page.evaluate((mark) => {
      type Marked = HTMLElement & { tabbed?: number };
      const focused = document.activeElement as Marked;
      if (focused === document.body) return {};
      if (focused.tabbed === mark) return { again: true };
      focused.tabbed = mark;
      const shown = focused.classList.contains('unseen') ? focused.closest('label') : focused;
      if (!shown) return { fault: `${focused.outerHTML.slice(0, 80)} cannot be seen` };
      const { outlineStyle, outlineWidth } = getComputedStyle(shown);
      const name = shown.outerHTML.slice(0, 100);
      if (outlineStyle === 'none' || Number.parseFloat(outlineWidth) < 2) return { fault: `${name} has no outline` };
      const { left, top, width, height } = shown.getBoundingClientRect();
      const isVisible = [0.5, 0.1, 0.9].some((share) => {
        const found = document.elementFromPoint(left + width * share, top + height * share);
        return found !== null && (shown.contains(found) || found.contains(shown));
      });
      return isVisible ? {} : { fault: `${name} is behind something` };
    }, round);
    if (fault) faults.push(fault);
    if (again) break;
  }
  const missed = await page.evaluate((mark) => {
    const inside = document.querySelector('dialog[open]') ?? document;
    return [
      ...inside.querySelectorAll<HTMLElement & { tabbed?: number }>('button, a, input, select, textarea, summary'),
    ]
      .filter((each) => each.tabbed !== mark && each.checkVisibility({ visibilityProperty: true }))
      .filter((each) => !each.matches('[type="radio"]:not(:checked)'))
      .map((each) => `${each.outerHTML.slice(0, 100)} is not reached by Tab`);
  }, round);
  return [...faults, ...missed];
};
