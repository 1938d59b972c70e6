// Adds to one document by compare-and-set: node add-to-document.js <file> <count>. Writes how often another process was
// faster to standard output.
import { sqlite } from '@farebox/sqlite'
import Database from 'libsql'

const [file, count] = process.argv.slice(2)
const database = new Database(file)
const { ledger, keys } = sqlite(database)
let lost = 0

for (let added = 0; added < Number(count); ) {
  const found = await keys.get('shared')
  const isWritten = await keys.put('shared', Number(found?.value ?? 0) + 1, found?.version ?? null)
  if (isWritten) added += 1
  else lost += 1
}
console.log(lost)
await ledger.close()
database.close()
