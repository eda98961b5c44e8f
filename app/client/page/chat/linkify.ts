/** Finds URLs in a text. */

type TextPart = { type: 'text' | 'link'; text: string };

/**
 * Only http(s) URLs, without the punctuation of the sentence around them. Invisible characters and direction marks end a URL, because
 * with them a URL may look like another one.
 */
const urls = /https?:\/\/[^\s<>"\p{Bidi_C}\p{DI}\u2800]+[^\s<>".,;:!?'”’)\]\p{Bidi_C}\p{DI}\u2800]/gu;
/** User information (RFC 3986, 3.2.1) looks like the host. Browsers read \\ as /. */
const userInfo = /^https?:[\\/]*[^\\/?#]*@/;
/** Maximum links of a text, whose rest stays text: 4000 characters could be 400 links, and each is an element of the page. */
const mostLinks = 32;

/** Splits a text into parts, in order; joined, they are the text. */
export const splitLinks = (text: string): TextPart[] => {
  const parts: TextPart[] = [];
  let end = 0;
  for (const { 0: link, index } of text.matchAll(urls)) {
    if (parts.length >= 2 * mostLinks) break;
    if (userInfo.test(link)) continue;
    if (index > end) parts.push({ type: 'text', text: text.slice(end, index) });
    parts.push({ type: 'link', text: link });
    end = index + link.length;
  }
  if (end < text.length) parts.push({ type: 'text', text: text.slice(end) });
  return parts;
};
