// The entities that tags mark: BIO, IOB1, IOBES or BILOU, read as the Python beside it reads them (tagged.py).

export const OUTSIDE = ["", "O", "0", "-100", "_"];
const MARKED = /^(?:([BIESLUMO])-(.+)|([BIES]))$/u;
const MARKS = { L: "E", U: "S", M: "I" }; // BILOU and BMES in the letters of IOBES

/** [type, first word, one behind the last] of each entity. */
export function spans(tags) {
  const found = [];
  let before = "O", kind = "", start = 0;
  [...tags, "O"].forEach((tag, place) => {
    const [mark, type] = parts(tag);
    let inside = before !== "O";
    if (inside && ("OBS".includes(mark) || "ES".includes(before) || type !== kind)) {
      found.push([kind, start, place]);
      inside = false;
    }
    if (mark !== "O" && !inside) start = place;
    [before, kind] = [mark, type];
  });
  return found;
}

/** A tag's mark, one of B I E S O, and its type. */
function parts(tag) {
  if (OUTSIDE.includes(tag)) return ["O", ""];
  const marked = MARKED.exec(tag);
  if (!marked) return ["I", tag];
  if (marked[3]) return [marked[3], "entity"];
  const mark = MARKS[marked[1]] ?? marked[1];
  return mark === "O" ? ["O", ""] : [mark, marked[2]];
}
