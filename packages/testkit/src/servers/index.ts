export { hasPostgres, type PostgresServer, type PostgresServerOptions, startPostgres } from './postgres.ts'
export { startTcpProxy, type TcpProxy } from './tcp-proxy.ts'
