/** Addresses in a text. */

type Part = { is: 'text' | 'link'; text: string };

/** Only what begins as an address of the web does; the punctuation of the sentence around it stays outside. */
const address = /https?:\/\/[^\s<>"]+[^\s<>".,;:!?'”’)\]]/g;

/** The text in parts, in order; joined they are the text. */
export const splitLinks = (text: string): Part[] => {
  const parts: Part[] = [];
  let end = 0;
  for (const { 0: link, index } of text.matchAll(address)) {
    if (index > end) parts.push({ is: 'text', text: text.slice(end, index) });
    parts.push({ is: 'link', text: link });
    end = index + link.length;
  }
  if (end < text.length) parts.push({ is: 'text', text: text.slice(end) });
  return parts;
};
