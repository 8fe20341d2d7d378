// Texts as Python sees them: what white space is, and what a value looks like in a text.

export const SPACE = "[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]"; // Python's
const LEADING = new RegExp(`^${SPACE}+`), TRAILING = new RegExp(`${SPACE}+$`);
export const lstrip = (text) => text.replace(LEADING, "");
export const rstrip = (text) => text.replace(TRAILING, "");
export const strip = (text) => lstrip(rstrip(text));
export const first = (text) => (text.codePointAt(0) > 0xffff ? 2 : 1); // the length of the first character
export const escape = (text) => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");

/** A value as it stands in a text: half a character becomes the sign for what cannot be read. */
export function asText(value) {
  if (value === null || value === undefined) return "";
  const text = typeof value === "string" ? value : JSON.stringify(value);
  return text.replace(/[\ud800-\udfff]/gu, "\ufffd");
}
