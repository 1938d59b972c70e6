/** The tables of one schema, as they stand in statements. */
export interface TableNames {
  readonly schema: string
  readonly heads: string
  readonly records: string
  readonly journal: string
  readonly documents: string
  readonly documentVersions: string
  readonly counters: string
  readonly migrations: string
}

/** @throws Error when the schema is not a plain identifier in lower case: it stands in statements as it is. */
export function tableNames(schema: string): TableNames {
  if (!/^[a-z_][a-z0-9_]{0,47}$/.test(schema) || schema.startsWith('pg_')) {
    throw new Error(
      `The schema "${schema}" is not a plain identifier: use up to 48 lower-case letters, digits and underscores.`,
    )
  }
  return {
    schema,
    heads: `${schema}.heads`,
    records: `${schema}.records`,
    journal: `${schema}.journal`,
    documents: `${schema}.documents`,
    documentVersions: `${schema}.document_versions`,
    counters: `${schema}.counters`,
    migrations: `${schema}.migrations`,
  }
}
