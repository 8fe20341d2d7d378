// Reasoning in front of an answer: the tags around it, as core/data/reasoning.py has them.

import { SPACE, strip } from "./text.js";

export const KEY = "reasoning_content";
const TAG = "(think|thinking|thought|reasoning)";
const TAGGED = new RegExp(`^${SPACE}*<${TAG}>(.*?)</\\1>${SPACE}*`, "s");
const CLOSED = new RegExp(`^((?:(?!<think(?:ing)?>).)*?)</think(?:ing)?>${SPACE}*`, "s");
const START = "(?:<\\|start\\|>assistant)?<\\|channel\\|>";
const CHANNELS = new RegExp(
  `^${SPACE}*${START}analysis<\\|message\\|>(.*?)<\\|end\\|>${SPACE}*${START}final<\\|message\\|>`, "s",
);
const CHANNEL_END = new RegExp(`(?:<\\|return\\|>|<\\|end\\|>)${SPACE}*$`);
const EMPTY = new RegExp(`^${SPACE}*<${TAG}>${SPACE}*</\\1>`);

/** A text that begins with reasoning, as [reasoning, what follows]; null where it does not. */
export function split(text) {
  const channels = CHANNELS.exec(text);
  if (channels) return [strip(channels[1]), text.slice(channels[0].length).replace(CHANNEL_END, "")];
  const tagged = TAGGED.exec(text);
  if (tagged) return [strip(tagged[2]), text.slice(tagged[0].length)];
  const closed = CLOSED.exec(text);
  return closed ? [strip(closed[1]), text.slice(closed[0].length)] : null;
}

/** An assistant's message with its reasoning under a key, taken out of its words. */
export function reasoned(message, key) {
  const found = message.role === "assistant" ? split(message.content) : null;
  return found ? { ...message, [KEY]: found[0], [key]: found[0], content: found[1] } : message;
}

/** The reasoning of a message, under its key or between tags in its words. */
export const reasoningOf = (message) => strip(message[KEY] || (split(message.content) ?? [""])[0]);

/** Whether a text begins with an empty block of reasoning. */
export const isEmptyBlock = (text) => EMPTY.test(text);

/** Whether a text holds a part of a message: as it is, as JSON writes it, or with other white space. */
export function holds(text, part) {
  if (text.includes(part)) return true;
  const dense = (one) => one.replace(new RegExp(`${SPACE}+`, "g"), ""), whole = dense(text);
  const json = JSON.stringify(part).slice(1, -1);
  const ascii = json.replace(/[^\0-~]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
  return [part, json, ascii].some((form) => whole.includes(dense(form)));
}
