/** A cell of a table: text from anywhere, or a number or amount of our own. */
export type Cell = string | number | bigint | null | { readonly exact: string }

/**
 * One line of comma-separated values with its line end (RFC 4180).
 *
 * Spreadsheets run text that begins like a formula, so such text gets an apostrophe in front (OWASP, CSV injection). Numbers
 * and `exact` text, such as a negative amount, are left as they are.
 */
export function csvLine(cells: readonly Cell[]): string {
  return `${cells.map(csvCell).join(',')}\r\n`
}

function csvCell(cell: Cell): string {
  if (cell === null) return ''
  if (typeof cell !== 'string') return quoted(typeof cell === 'object' ? cell.exact : String(cell))
  return quoted(/^[=+\-@\t\r\n]/.test(cell) ? `'${cell}` : cell)
}

function quoted(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text
}
