/** As much of the DOM as Preact needs to render, without layout, style or bubbling events. */
import { type ComponentChild, render } from 'preact';
import { act } from 'preact/test-utils';
import { vi } from 'vitest';

/** An element, or a text, which has no name. */
export class FakeElement extends EventTarget {
  readonly localName: string;
  readonly nodeType: number;
  readonly namespaceURI = 'http://www.w3.org/1999/xhtml';
  readonly attributes = new Map<string, string>();
  readonly childNodes: FakeElement[] = [];
  parentElement: FakeElement | null = null;
  data = '';
  onclick = null;
  scrollHeight = 0;
  clientHeight = 0;

  constructor(localName: string) {
    super();
    this.localName = localName;
    this.nodeType = localName === '' ? 3 : 1;
  }

  get parentNode(): FakeElement | null {
    return this.parentElement;
  }

  get firstChild(): FakeElement | null {
    return this.childNodes[0] ?? null;
  }

  get nextSibling(): FakeElement | null {
    const siblings = this.parentElement?.childNodes ?? [];
    return siblings[siblings.indexOf(this) + 1] ?? null;
  }

  get textContent(): string {
    return this.data + this.childNodes.map(({ textContent }) => textContent).join('');
  }

  insertBefore(node: FakeElement, before: FakeElement | null): FakeElement {
    node.remove();
    this.childNodes.splice(before ? this.childNodes.indexOf(before) : this.childNodes.length, 0, node);
    node.parentElement = this;
    return node;
  }

  remove(): void {
    const siblings = this.parentElement?.childNodes;
    siblings?.splice(siblings.indexOf(this), 1);
    this.parentElement = null;
  }

  setAttribute(name: string, value: string): void {
    this.attributes.set(name, value);
  }

  removeAttribute(name: string): void {
    this.attributes.delete(name);
  }

  /** `selectors`: names of elements. */
  closest(selectors: string): FakeElement | null {
    return selectors.split(', ').includes(this.localName) ? this : (this.parentElement?.closest(selectors) ?? null);
  }

  /** The first descendant for which `matches` returns true. */
  find(matches: (element: FakeElement) => boolean): FakeElement | undefined {
    for (const child of this.childNodes) {
      const found = matches(child) ? child : child.find(matches);
      if (found) return found;
    }
    return undefined;
  }

  focus(): void {}
  showModal(): void {}
  close(): void {}
}

const roots = new Set<FakeElement>();
const renderInto = (tree: ComponentChild, root: FakeElement) => act(() => render(tree, root as unknown as Element));

/** Stubs the globals of a page, until closePage(). @returns the window's events */
export const stubPage = (): EventTarget => {
  const page = new EventTarget();
  vi.stubGlobal('Element', FakeElement);
  vi.stubGlobal('document', {
    baseURI: 'https://host/',
    createElementNS: (_: string, name: string) => new FakeElement(name),
    createTextNode: (data: string) => Object.assign(new FakeElement(''), { data }),
  });
  vi.stubGlobal('addEventListener', page.addEventListener.bind(page));
  vi.stubGlobal('removeEventListener', page.removeEventListener.bind(page));
  return page;
};

/** Renders `tree`, and runs its effects. */
export const rendered = async (tree: ComponentChild): Promise<FakeElement> => {
  const root = new FakeElement('main');
  roots.add(root);
  await renderInto(tree, root);
  return root;
};

/** Unmounts what was rendered, and removes the globals. */
export const closePage = async (): Promise<void> => {
  for (const root of roots) await renderInto(null, root);
  roots.clear();
  vi.unstubAllGlobals();
};
