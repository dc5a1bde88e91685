// The Markdown of an answer, as elements: the server reads it, and nothing of it ever is markup.

const TAGS = new Set([
  ..."a blockquote br code em h3 h4 h5 h6 hr li ol p pre s strong table tbody td th thead tr ul".split(" "),
]);
// Which elements find their own direction; of an item or a table all parts have one.
const DIRECTED = new Set(["p", "li", "h3", "h4", "h5", "h6", "table"]);
const WIDE = { table: "Table", pre: "Code" };  // scroll by themselves, also by keyboard

// Whether it is worth asking.
const MARKS = /[*_`~|]|^ {0,3}(#{1,6} |>|[-+] |\d{1,9}[.)] )|\]\(|<http/m;
export const mayBeFormatted = (text) => text.length <= 20_000 && MARKS.test(text);

// Elements for a list of texts and `{tag, children, …}`; `within` is the tag of the element that they are in.
export function elements(nodes, within = "") {
  return nodes.flatMap((node) => {
    if (typeof node === "string") return [document.createTextNode(node)];
    if (!TAGS.has(node.tag)) return elements(node.children, within);
    return [element(node, within)];
  });
}

function element({ tag, children, href, start, align }, within) {
  const made = document.createElement(tag);
  if (href && /^https?:\/\//i.test(href)) Object.assign(made, { href, rel: "noopener noreferrer nofollow" });
  if (start) made.start = Number(start);
  if (align) made.className = `align-${align}`;
  if (DIRECTED.has(tag) && within !== "li") made.dir = "auto";
  made.append(...elements(children, tag));
  if (!WIDE[tag]) return made;
  const scrolling = Object.assign(document.createElement("div"), { className: "wide-part", tabIndex: 0 });
  scrolling.setAttribute("role", "group");
  scrolling.setAttribute("aria-label", WIDE[tag]);
  scrolling.append(made);
  return scrolling;
}
