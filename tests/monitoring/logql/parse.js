// Reads LogQL queries, one a line, and prints those that do not parse.
const { parser } = require('@grafana/lezer-logql')
const lines = require('fs').readFileSync(0, 'utf8').split('\n').filter(Boolean)
for (const line of lines) {
  let wrong = false
  parser.parse(line).iterate({ enter: (node) => { wrong ||= node.type.isError } })
  if (wrong) console.log(line)
}
