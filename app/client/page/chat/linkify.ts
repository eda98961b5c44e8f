/** Finds URLs in a text. */

type TextPart = { type: 'text' | 'link'; text: string };

/**
 * Only http(s) URLs, without the punctuation of the sentence around them. Invisible characters and direction marks end a URL, because
 * with them a URL may look like another one.
 */
const urls = /https?:\/\/[^\s<>"\p{Bidi_C}\p{DI}\u2800]+[^\s<>".,;:!?'”’)\]\p{Bidi_C}\p{DI}\u2800]/gu;
/**
 * The host and what may follow it; browsers read \\ as /. Only letters and digits, because others look like / and ?, so that
 * `https://bank.example⁄a.example` would seem to lead to the bank. User information (RFC 3986, 3.2.1) is refused for the same reason.
 */
const hosts = /^https?:\/\/(?:\[[\da-f:.]+\]|(?:[\p{L}\p{Nd}\p{M}._-](?![\u0337\u0338]))+)(?::\d+)?(?=[/\\?#]|$)/iu;
/** Letters that look like / or ?: misleading next to a Latin letter, else part of a name, as ノ in Japanese. */
const lookalike = String.raw`[\u0294\u2cc6\u2cc7\u3033\u30bd\u30be\u30ce\u30f3\u4e3f]`;
const misleading = new RegExp(String.raw`[\w.-]${lookalike}|${lookalike}[\w-]`, 'u');
/** Maximum links of a text, whose rest stays text: 4000 characters could be 400 links, and each is an element of the page. */
const mostLinks = 32;

/** Splits a text up to `length` into parts, in order; joined, they are the text. A link that is longer is not one. */
export const splitLinks = (text: string, length = text.length): TextPart[] => {
  const parts: TextPart[] = [];
  let end = 0;
  for (const { 0: link, index } of text.matchAll(urls)) {
    if (parts.length >= 2 * mostLinks || index + link.length > length) break;
    if (!isHonest(link)) continue;
    if (index > end) parts.push({ type: 'text', text: text.slice(end, index) });
    parts.push({ type: 'link', text: link });
    end = index + link.length;
  }
  if (end < length) parts.push({ type: 'text', text: text.slice(end, length) });
  return parts;
};

/** Whether readers see which host the URL leads to. */
const isHonest = (url: string): boolean => {
  const [host] = url.match(hosts) ?? [];
  return host !== undefined && !misleading.test(host);
};
