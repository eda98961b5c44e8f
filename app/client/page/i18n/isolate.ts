/** Isolates the direction of names and texts within messages: https://www.unicode.org/reports/tr9/#Explicit_Directional_Isolates */

/** Whether a text changes the direction of the text around it: it has direction marks, or characters of right-to-left scripts. */
const directional = /[\p{Bidi_C}\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;
/** A complete isolate, which may stay; or else an embedding, an override, or one end of an isolate. */
const controls = /([\u2066-\u2068][^\u202a-\u202e\u2066-\u2069]*\u2069)|[\u202a-\u202e\u2066-\u2069]/g;

/**
 * The text between FIRST STRONG ISOLATE and POP DIRECTIONAL ISOLATE, which it cannot end itself.
 * @param always in a message of a right-to-left language; otherwise a text that needs none is unchanged
 */
export const isolate = (text: string, always = false): string =>
  always || directional.test(text) ? `\u2068${text.replaceAll(controls, '$1')}\u2069` : text;
