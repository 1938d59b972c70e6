export { type MigrateOptions, type Migration, migrate, migrations } from './migrate.ts'
export type { PostgresClient, PostgresPool, PostgresQuery, PostgresResult } from './pool.ts'
export { type PostgresOptions, postgres } from './postgres.ts'
