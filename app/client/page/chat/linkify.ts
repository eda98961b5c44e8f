/** Finds URLs in a text. */

type TextPart = { type: 'text' | 'link'; text: string };

/** Only http(s) URLs, without the punctuation of the sentence around them. */
const urls = /https?:\/\/[^\s<>"]+[^\s<>".,;:!?'”’)\]]/g;

/** Splits a text into parts, in order; joined, they are the text. */
export const splitLinks = (text: string): TextPart[] => {
  const parts: TextPart[] = [];
  let end = 0;
  for (const { 0: link, index } of text.matchAll(urls)) {
    if (index > end) parts.push({ type: 'text', text: text.slice(end, index) });
    parts.push({ type: 'link', text: link });
    end = index + link.length;
  }
  if (end < text.length) parts.push({ type: 'text', text: text.slice(end) });
  return parts;
};
