// Reads TraceQL queries as a JSON list from standard input with Grafana's own grammar, and writes for each what is wrong
// with it, the fields that it names, and which of them it compares with a text or a kind.
import { readFileSync } from "node:fs";
import { parser } from "@grafana/lezer-traceql";

function read(query) {
  const found = { errors: [], fields: [], equal: [] };
  parser.parse(query).iterate({
    enter: ({ type, node, from, to }) => {
      const text = query.slice(from, to);
      if (type.isError) found.errors.push(`at ${from}: ${text}`);
      if (type.name === "AttributeField" || type.name === "IntrinsicField") found.fields.push(text);
      if (type.name === "FieldOp" && text === "=") {
        const [left, right] = [node.prevSibling, node.nextSibling].map((side) => query.slice(side.from, side.to));
        found.equal.push([left, right.replace(/^"|"$/g, "")]);
      }
    },
  });
  return found;
}

console.log(JSON.stringify(JSON.parse(readFileSync(0, "utf8")).map(read)));
